//+------------------------------------------------------------------+
//| Frames.mqh - what the server says about signals, and what follows  |
//| MetaTrader 5 and 4; ASCII source.                                  |
//+------------------------------------------------------------------+
#ifndef FAIRSTRIKE_FRAMES
#define FAIRSTRIKE_FRAMES

#include "Signal.mqh"
#include "Results.mqh"

#define WINDOW            50        // signals on their way at once
#define BACKOFF_FIRST_MS  100
#define BACKOFF_LAST_MS   3000
#define BACKOFF_REFUSED_MS 30000    // after a refusal that only a person can end: a wrong key, a barred address

int    g_backoff_ms = BACKOFF_FIRST_MS;
long   g_hold_until_ms = 0;         // monotonic; nothing is sent before
bool   g_gap = false;               // the oldest signal that is left was refused, for a number before it is missing
string g_answers[];                 // frames of ours, other than signals, that wait to be sent
string g_alerted = "";

// The next waiting time: doubled at each call, with jitter, so that many terminals do not come back at once.
int BackoffFrom(int &backoff_ms)
  {
   int half = backoff_ms / 2, wait = half + MathRand() % (half + 1);
   backoff_ms = (int)MathMin(backoff_ms * 2, BACKOFF_LAST_MS);
   return wait;
  }

int BackoffNextMs()
  {
   return BackoffFrom(g_backoff_ms);
  }

// Send nothing for a while.
void Hold(const long wait_ms)
  {
   g_hold_until_ms = MathMax(g_hold_until_ms, MonotonicMs() + wait_ms);
  }

bool Holding()
  {
   return MonotonicMs() < g_hold_until_ms;
  }

// Tell the user once about each thing that only a person can put right.
void AlertOnce(const string text)
  {
   if(g_alerted == text)
      return;
   g_alerted = text;
   Alert("Fairstrike: " + text);
  }

// Whether a code of a reject is about the key and not about one signal.
bool IsAboutKey(const string code)
  {
   return code == "bad_sig" || code == "unknown_key" || code == "key_revoked" || code == "ip_denied"
          || code == "acct_mismatch";
  }

// A frame of ours that is no signal: members as JsonMember and JsonNumber write them.
string ClientFrame(const string type, const string members)
  {
   string head = "{\"type\":\"" + type + "\",\"v\":1" + JsonMember("kid", g_kid) + JsonMember("sid", g_sid);
   return SignFrame(g_secret, head + members);
  }

void AnswerAdd(const string frame)
  {
   int count = ArraySize(g_answers);
   ArrayResize(g_answers, count + 1);
   g_answers[count] = frame;
  }

void AnswerRemoveFirst()
  {
   int last = ArraySize(g_answers) - 1;
   for(int i = 0; i < last; i++)
      g_answers[i] = g_answers[i + 1];
   ArrayResize(g_answers, last);
  }

// Everything from this place on is sent again, in order.
void ResendFrom(const int place)
  {
   for(int i = place; i < PendingCount(); i++)
      g_pending[i].sent_us = 0;
  }

// Leave out signals that have never been sent and are too old by now. One that was sent before may have been
// executed: it is sent again until the server says what became of it. Returns how many were left out.
int AgeOut()
  {
   int gone = 0;
   long now_ms = MonotonicMs();
   for(int i = PendingCount() - 1; i >= 0; i--)
     {
      bool unsent = g_pending[i].created_ms >= 0 && g_pending[i].tries == 0;
      if(!unsent || now_ms - g_pending[i].created_ms <= g_pending[i].valid_ms)
         continue;
      ResultSet(g_pending[i].event_id, g_pending[i].label, "too old, not sent", true);
      SpoolDrop(i);
      gone++;
     }
   if(gone > 0)
     {
      g_aged += gone;
      PrintFormat("%d signals were too old and were not sent", gone);
     }
   return gone;
  }

void TakeAck(const string frame)
  {
   string event_id = JsonGet(frame, "event_id"), status = JsonGet(frame, "status");
   int place = PendingFind(event_id);
   if(place < 0)
      return;
   if(status == "duplicate")
      g_duplicates++;
   g_acked++;
   g_backoff_ms = BACKOFF_FIRST_MS;
   if(g_pending[place].sent_us > 0)
      g_ack_us = MonotonicUs() - g_pending[place].sent_us;
   ResultSet(event_id, g_pending[place].label, status, false);
   SpoolDrop(place);
  }

void TakeReject(const string frame)
  {
   string event_id = JsonGet(frame, "event_id"), code = JsonGet(frame, "code");
   bool for_good = JsonGet(frame, "final") == "true";
   int place = PendingFind(event_id);
   PrintFormat("reject %s %s %s", code, event_id, JsonGet(frame, "detail"));
   if(IsAboutKey(code))
     {
      AlertOnce("the server refuses the key (" + code + ")");
      Hold(BACKOFF_REFUSED_MS);
     }
   if(for_good)
     {
      if(event_id == "" && !IsAboutKey(code))
         AlertOnce("the server refuses what is sent (" + code + " " + JsonGet(frame, "detail") + ")");
      if(place < 0)
         return;
      g_rejected++;
      ResultSet(event_id, g_pending[place].label, "rejected " + code, true);
      SpoolDrop(place);
      return;
     }
   Hold(JsonLong(frame, "retry_after_ms", code == "seq_gap" ? 0 : BackoffNextMs()));
   if(place >= 0)
      ResendFrom(place);
   if(code == "seq_gap" && place == 0)
      g_gap = true;
  }

// The oldest number that can still be sent.
long FirstSeq()
  {
   return PendingCount() > 0 ? g_pending[0].seq : g_seq + 1;
  }

// The server asks for everything from a number on. It is told where what we still have begins: the rest is a hole.
void TakeResync(const string frame)
  {
   long from_seq = JsonLong(frame, "from_seq", 0);
   if(from_seq < 1)
      return;
   for(int i = 0; i < PendingCount(); i++)
      if(g_pending[i].seq >= from_seq)
        {
         ResendFrom(i);
         break;
        }
   if(from_seq < FirstSeq())
      AnswerAdd(ClientFrame("resync", JsonNumber("from_seq", FirstSeq())));
  }

void TakeOrder(const string frame)
  {
   string event_id = JsonGet(frame, "event_id"), state = JsonGet(frame, "state"), code = JsonGet(frame, "code");
   string payout = JsonGet(frame, "payout"), text = state;
   if(code != "")
      text += " " + code;
   if(payout != "")
      text += ", payout " + payout;
   ResultsAfter(JsonLong(frame, "no", 0));
   ResultSet(event_id, TextPart(event_id, 0, 13), text, state != "accepted");
   PrintFormat("order %s %s", event_id, text);
  }

// Whether a value of the parameters is absent or a decimal number.
bool ParamIsDecimal(const string values, const string name)
  {
   string text = JsonGet(values, name);
   return text == "" || IsDecimal(text);
  }

// New parameters apply from the next signal on, all of them or none.
bool ParamsApply(const string values)
  {
   long expiry_s = JsonLong(values, "expiry_s", JsonRaw(values, "expiry_s") == "" ? g_expiry_s : -1);
   long valid_ms = JsonLong(values, "valid_ms", JsonRaw(values, "valid_ms") == "" ? g_valid_ms : -1);
   if(expiry_s < 5 || expiry_s > 86400 || (valid_ms != 0 && (valid_ms < 200 || valid_ms > 60000)))
      return false;
   if(!ParamIsDecimal(values, "stake") || !ParamIsDecimal(values, "min_payout") || !ParamIsDecimal(values, "max_drift"))
      return false;
   g_expiry_s = (int)expiry_s;
   g_valid_ms = (int)valid_ms;
   if(JsonGet(values, "stake") != "")
      g_stake = JsonGet(values, "stake");
   if(JsonRaw(values, "min_payout") != "")
      g_min_payout = JsonGet(values, "min_payout");
   if(JsonRaw(values, "max_drift") != "")
      g_max_drift = JsonGet(values, "max_drift");
   return true;
  }

void TakeParams(const string frame)
  {
   string strategy = JsonGet(frame, "strategy"), values = JsonRaw(frame, "values");
   ResultsAfter(JsonLong(frame, "no", 0));
   long rev = JsonLong(frame, "rev", 0);
   if(strategy != InpStrategy || rev < 1)
      return;
   if(rev > g_params_rev && !ParamsApply(values))
     {
      PrintFormat("parameters %I64d are invalid, the old ones stay", rev);
      return;
     }
   PrintFormat("parameters %I64d apply", rev);
   g_params_rev = MathMax(g_params_rev, rev);
   AnswerAdd(ClientFrame("params_ack", JsonMember("strategy", strategy) + JsonNumber("rev", rev)));
  }

// Drop all that waits. What was sent already is decided by the server; its answer is then only shown.
void Flush()
  {
   for(int i = PendingCount() - 1; i >= 0; i--)
     {
      ResultSet(g_pending[i].event_id, g_pending[i].label, "flushed", g_pending[i].tries == 0);
      SpoolDrop(i);
     }
  }

void TakeCommand(const string frame)
  {
   string cmd = JsonGet(frame, "cmd");
   // Noted first: what is done is not done again by the next run.
   ResultsAfter(JsonLong(frame, "no", 0));
   PrintFormat("command %s", cmd);
   if(cmd == "pause")
      g_paused = true;
   if(cmd == "resume")
      g_paused = false;
   if(cmd == "flush")
      Flush();
   if(cmd == "resync")
      ResendFrom(0);
   if(cmd == "kill")
     {
      g_killed = true;
      AlertOnce("the server has stopped this expert");
      ExpertRemove();
     }
  }

// Act on one frame that is not about the link itself.
void FrameTake(const string frame)
  {
   string type = JsonGet(frame, "type");
   if(type == "ack")
      TakeAck(frame);
   if(type == "reject")
      TakeReject(frame);
   if(type == "resync")
      TakeResync(frame);
   if(type == "order")
      TakeOrder(frame);
   if(type == "params")
      TakeParams(frame);
   if(type == "command")
      TakeCommand(frame);
  }

#endif
