//+------------------------------------------------------------------+
//| Http.mqh - signals by WebRequest, one by one or up to 50 at once   |
//| WebRequest stops this expert until the answer is there, and takes  |
//| the port from the scheme: 80 or 443.                               |
//| MetaTrader 5 and 4; ASCII source.                                  |
//+------------------------------------------------------------------+
#ifndef FAIRSTRIKE_HTTP
#define FAIRSTRIKE_HTTP

#include "Status.mqh"

#define HTTP_TIMEOUT_MS   3000
#define HTTP_BATCH_SIZE   60000     // letters in one request
#define HTTP_NOT_SENT     -2
#define HTTP_BAD_ADDRESS  5200
#define HTTP_NO_CONNECTION 5201
#define HTTP_ASK_OPEN_MS  1000      // how often results are asked for while some are open
#define HTTP_ASK_IDLE_MS  5000

string g_http_url = "";
long   g_http_ask_ms = 0;           // monotonic time of the next question
bool   g_http_params = false;       // this run knows which parameters are in force

// Say why a request did not come through.
string HttpProblem(const int error)
  {
   if(error == HTTP_NOT_ALLOWED)
      return "not allowed: add " + g_http_url + " under Tools > Options > Expert Advisors > Allow WebRequest";
   return "no answer (error " + IntegerToString(error) + ")";
  }

// Send one request. Returns the status of the answer; -1 where there was none; HTTP_NOT_SENT where the server was not
// even reached. reply gets the text of the answer.
int HttpRequest(const string method, const string path, const string body, string &reply)
  {
   char data[], answer[];
   uchar bytes[];
   string headers = "Content-Type: application/json\r\n", answer_headers = "";
   int count = Utf8Bytes(body, bytes);
   ArrayResize(data, count);
   for(int i = 0; i < count; i++)
      data[i] = (char)bytes[i];
   ResetLastError();
   long sent_us = MonotonicUs();
   int status = WebRequest(method, g_http_url + path, headers, HTTP_TIMEOUT_MS, data, answer, answer_headers);
   if(status < 0)
     {
      int error = GetLastError();
      g_link_text = "down: " + HttpProblem(error);
      if(error == HTTP_NOT_ALLOWED)
         AlertOnce(HttpProblem(error));
      return error == HTTP_NOT_ALLOWED || error == HTTP_BAD_ADDRESS || error == HTTP_NO_CONNECTION ? HTTP_NOT_SENT : -1;
     }
   int size = ArraySize(answer);
   ArrayResize(bytes, size);
   for(int k = 0; k < size; k++)
      bytes[k] = (uchar)answer[k];
   reply = size > 0 ? CharArrayToString(bytes, 0, size, CP_UTF8) : "";
   long server_ms = JsonLong(reply, "server_ms", 0);
   if(server_ms > 0)
      ClockMeasured(sent_us, server_ms);
   g_link_text = StringFormat("up, http, status %d", status);
   return status;
  }

// Put the next signals into one body: the object itself, or an array. Returns how many.
int HttpBatch(string &body)
  {
   int count = 0, size = 2;
   body = "";
   while(count < PendingCount() && count < WINDOW && size + StringLen(g_pending[count].frame) < HTTP_BATCH_SIZE)
     {
      size += StringLen(g_pending[count].frame) + 1;
      body += (count > 0 ? "," : "") + g_pending[count].frame;
      g_pending[count].sent_us = MonotonicUs();
      g_pending[count].tries++;
      count++;
     }
   if(count > 1)
      body = "[" + body + "]";
   return count;
  }

// Act on the answer to a batch: one object, or an array of them.
void HttpTake(const string reply)
  {
   string frames[];
   int count = JsonElements(reply, frames);
   if(count < 0)
      FrameTake(reply);
   for(int i = 0; i < count; i++)
      FrameTake(frames[i]);
  }

// Where events go. The server's clock is told as far as it is known: there are no heartbeats to measure it.
string HttpEventsPath()
  {
   return "/ea/v1/events" + (g_offset_known ? "?offset_ms=" + IntegerToString(g_offset_ms) : "");
  }

// Send what waits. What is not answered stays and is sent again.
void HttpSend()
  {
   string body, reply;
   if(PendingCount() == 0 || Holding())
      return;
   int count = HttpBatch(body), before = PendingCount();
   int status = HttpRequest("POST", HttpEventsPath(), body, reply);
   if(status == HTTP_NOT_SENT)
      for(int i = 0; i < count; i++)
         g_pending[i].tries--;
   if(status > 0 && status < 500)
      HttpTake(reply);
   ResendFrom(0);
   if(ResultsOpen() > 0)
      g_http_ask_ms = MathMin(g_http_ask_ms, MonotonicMs() + HTTP_ASK_OPEN_MS);
   // There is no link over which the server could ask for what is missing: it is told that nothing older is left.
   if(g_gap)
      AnswerAdd(ClientFrame("resync", JsonNumber("from_seq", FirstSeq())));
   g_gap = false;
   // Nothing of it was settled: wait before it is sent again.
   if(count > 0 && PendingCount() == before && !Holding())
      Hold(BackoffNextMs());
  }

// Send what else we have to say, such as that new parameters apply.
void HttpAnswer()
  {
   string reply;
   if(ArraySize(g_answers) == 0 || Holding())
      return;
   int status = HttpRequest("POST", HttpEventsPath(), g_answers[0], reply);
   if(status > 0 && status < 500)
      AnswerRemoveFirst();
   else
      Hold(BackoffNextMs());
  }

// Ask for results, parameters and commands. The query is signed as a frame is: up to its last member. Its time is the
// server's, so that a clock that is wrong is no obstacle once it was measured.
void HttpAsk()
  {
   string reply, frames[];
   if(Holding() || MonotonicMs() < g_http_ask_ms)
      return;
   bool measured = g_offset_known;
   string query = "kid=" + g_kid + "&sid=" + g_sid;
   if(g_results_after > 0)
      query += "&after=" + IntegerToString(g_results_after);
   if(!g_http_params)
      query += "&params=1";
   query += "&t_ms=" + IntegerToString(NowMs() + g_offset_ms);
   string path = "/ea/v1/commands?" + query + "&sig=" + HmacSha256(g_secret, query);
   int status = HttpRequest("GET", path, "", reply);
   g_http_ask_ms = MonotonicMs() + (ResultsOpen() > 0 ? HTTP_ASK_OPEN_MS : HTTP_ASK_IDLE_MS);
   if(status != 200 || JsonGet(reply, "type") == "reject")
     {
      // A refusal that brought the first reading of the server's clock may be about our clock alone.
      if(status == 200 && measured)
         FrameTake(reply);
      g_http_ask_ms = MonotonicMs() + BackoffNextMs();
      return;
     }
   g_backoff_ms = BACKOFF_FIRST_MS;
   g_http_params = true;
   long after = JsonLong(reply, "after", g_results_after);
   int count = JsonElements(JsonRaw(reply, "frames"), frames);
   // Noted first: a command must not be carried out again by the next run.
   ResultsAfter(after);
   for(int i = 0; i < count; i++)
      FrameTake(frames[i]);
  }

// One turn of the timer.
void HttpPump()
  {
   AgeOut();
   NowMs();
   if(g_clock_stepped)
     {
      g_clock_stepped = false;
      g_offset_known = false;
      g_http_ask_ms = 0;
     }
   // The server reckons with our clock: it is measured before a signal is judged by it.
   if(!g_offset_known)
      HttpAsk();
   if(!g_offset_known)
      return;
   HttpAnswer();
   HttpSend();
   HttpAsk();
  }

#endif
