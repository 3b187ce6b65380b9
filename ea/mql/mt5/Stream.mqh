//+------------------------------------------------------------------+
//| Stream.mqh - a lasting link: hello, signals, heartbeats            |
//| TCP: 4 bytes of length, most significant first, then JSON.         |
//| WebSocket: one text message = one JSON object.                     |
//| MetaTrader 5 only; ASCII source.                                   |
//+------------------------------------------------------------------+
#ifndef FAIRSTRIKE_STREAM
#define FAIRSTRIKE_STREAM

#include "../common/Status.mqh"
#include "WebSocket.mqh"

#define FRAME_LONGEST      65536
#define GREETING_WAIT_MS   5000
#define HEARTBEAT_S        5
#define HEARTBEATS_MISSED  3
#define LINK_STEADY_MS     10000    // a link that was up for so long was a good one

enum LINK_STATE
  {
   LINK_DOWN,       // waits for the next attempt
   LINK_UPGRADE,    // WebSocket: asked for the upgrade
   LINK_CHALLENGE,  // waits for the server's nonce: the server speaks first
   LINK_HELLO,      // hello is sent
   LINK_UP
  };

LINK_STATE g_link = LINK_DOWN;
string g_link_host = "";
int    g_link_port = 0;
bool   g_link_tls = false;
bool   g_link_ws = false;
long   g_link_next_ms = 0;          // monotonic time of the next attempt
long   g_link_since_ms = 0;         // when this state began
long   g_link_heard_ms = 0;         // when the server last said something
long   g_link_beat_ms = 0;          // when our last heartbeat left
long   g_link_beat_us = 0;          // the same in us; 0 = it was answered
int    g_link_heartbeat_s = HEARTBEAT_S;
long   g_links = 0;                 // how often the link was up
int    g_link_backoff_ms = BACKOFF_FIRST_MS;
int    g_link_beats_wanted = 0;     // answers to heartbeats that must come before signals go on

string LinkName()
  {
   string scheme = g_link_ws ? (g_link_tls ? "wss " : "ws ") : (g_link_tls ? "tls " : "tcp ");
   return scheme + g_link_host + ":" + IntegerToString(g_link_port);
  }

void LinkEnter(const LINK_STATE state)
  {
   g_link = state;
   g_link_since_ms = MonotonicMs();
  }

// Close the link and come back later.
void LinkDrop(const string why, const int wait_ms)
  {
   WireClose();
   LinkEnter(LINK_DOWN);
   g_link_next_ms = MonotonicMs() + wait_ms;
   g_link_text = "down: " + why;
   ArrayResize(g_answers, 0);
   ResendFrom(0);
   PrintFormat("link down: %s; %d wait, again in %d ms", why, PendingCount(), wait_ms);
  }

// Come back soon after a link that has lasted, else ever later: another terminal with this key may be ending ours
// each time that it comes back itself.
void LinkLost(const string why)
  {
   if(g_link == LINK_UP && MonotonicMs() - g_link_since_ms >= LINK_STEADY_MS)
      g_link_backoff_ms = BACKOFF_FIRST_MS;
   LinkDrop(why, BackoffFrom(g_link_backoff_ms));
  }

// Send one payload in the framing of the link.
bool LinkSend(const string payload)
  {
   uchar bytes[];
   int count = Utf8Bytes(payload, bytes);
   if(count > FRAME_LONGEST)
      return false;
   if(g_link_ws)
      return WsSend(WS_TEXT, bytes, count);
   uchar frame[];
   ArrayResize(frame, 4 + count);
   frame[0] = (uchar)(count >> 24);
   frame[1] = (uchar)((count >> 16) & 255);
   frame[2] = (uchar)((count >> 8) & 255);
   frame[3] = (uchar)(count & 255);
   ArrayCopy(frame, bytes, 4, 0, count);
   return WireSend(frame, 4 + count);
  }

// Take the next whole payload of a TCP link: 1 = got it, 0 = none yet, -1 = a length that is not allowed.
int TcpNext(string &payload)
  {
   if(ArraySize(g_wire_rx) < 4)
      return 0;
   uint high = ((uint)g_wire_rx[0] << 8) | (uint)g_wire_rx[1], low = ((uint)g_wire_rx[2] << 8) | (uint)g_wire_rx[3];
   uint length = (high << 16) | low;
   if(length < 1 || length > FRAME_LONGEST)
      return -1;
   if(ArraySize(g_wire_rx) < 4 + (int)length)
      return 0;
   payload = CharArrayToString(g_wire_rx, 4, (int)length, CP_UTF8);
   BytesConsume(g_wire_rx, 4 + (int)length);
   return 1;
  }

int LinkNext(string &payload)
  {
   return g_link_ws ? WsNext(payload) : TcpNext(payload);
  }

bool LinkHello(const string nonce)
  {
   string members = JsonNumber("build", TerminalInfoInteger(TERMINAL_BUILD));
   members += JsonMember("terminal", TerminalInfoString(TERMINAL_NAME));
   members += JsonMember("acct", IntegerToString(AccountInfoInteger(ACCOUNT_LOGIN)));
   members += JsonMember("server", AccountInfoString(ACCOUNT_SERVER));
   members += JsonNumber("last_seq", g_seq) + JsonNumber("first_seq", FirstSeq());
   // An install that has heard nothing yet is told the last minutes by the server, not all of its account's history.
   if(g_results_after > 0)
      members += JsonNumber("after", g_results_after);
   members += JsonMember("nonce", nonce);
   LinkEnter(LINK_HELLO);
   return LinkSend(ClientFrame("hello", members));
  }

bool LinkHeartbeat()
  {
   string members = JsonNumber("seq", g_seq) + JsonNumber("t_ms", NowMs());
   members += JsonNumber("spool", PendingCount()) + JsonNumber("link_rtt_us", g_rtt_us);
   g_link_beat_ms = MonotonicMs();
   g_link_beat_us = MonotonicUs();
   return LinkSend(ClientFrame("heartbeat", members));
  }

void LinkWelcome(const string frame)
  {
   g_links++;
   g_link_heartbeat_s = (int)MathMax(1, MathMin(60, JsonLong(frame, "hb_s", HEARTBEAT_S)));
   SeqAtLeast(JsonLong(frame, "last_seq_seen", 0));
   LinkEnter(LINK_UP);
   g_link_text = "up, " + LinkName();
   g_alerted = "";
   g_link_beat_ms = MonotonicMs() - g_link_heartbeat_s * 1000;
   g_link_beat_us = 0;
   // The server reckons with our clock: it is measured first.
   g_link_beats_wanted = 1;
   PrintFormat("link up: %s, session %s, %d wait", LinkName(), JsonGet(frame, "session"), PendingCount());
  }

// A frame before the link is up. False where the link was dropped.
bool LinkGreet(const string frame)
  {
   string type = JsonGet(frame, "type"), code = JsonGet(frame, "code");
   if(type == "challenge" && g_link == LINK_CHALLENGE)
     {
      if(LinkHello(JsonGet(frame, "nonce")))
         return true;
      LinkLost("hello not sent");
      return false;
     }
   if(type == "welcome" && g_link == LINK_HELLO)
     {
      LinkWelcome(frame);
      return true;
     }
   if(type != "reject")
      return true;
   bool for_good = JsonGet(frame, "final") == "true";
   if(for_good)
      AlertOnce("the server refuses this expert (" + code + ")");
   int retry_ms = (int)MathMax(0, MathMin(60000, JsonLong(frame, "retry_after_ms", 0)));
   LinkDrop("refused: " + code, for_good ? BACKOFF_REFUSED_MS : retry_ms + BackoffFrom(g_link_backoff_ms));
   return false;
  }

// Act on one frame. False where the link was dropped.
bool LinkTake(const string frame)
  {
   if(g_link != LINK_UP)
      return LinkGreet(frame);
   if(JsonGet(frame, "type") == "heartbeat")
     {
      long server_ms = JsonLong(frame, "server_ms", 0);
      if(server_ms > 0 && g_link_beat_us > 0)
        {
         ClockMeasured(g_link_beat_us, server_ms);
         g_link_beat_us = 0;
         g_link_beats_wanted = (int)MathMax(0, g_link_beats_wanted - 1);
         g_backoff_ms = BACKOFF_FIRST_MS;
        }
      return true;
     }
   FrameTake(frame);
   return true;
  }

// Send what waits, in order, while the window has room. False where the link was dropped.
bool LinkSendPending()
  {
   int on_way = 0;
   for(int i = 0; i < PendingCount() && !Holding(); i++)
     {
      if(g_pending[i].sent_us == 0 && on_way < WINDOW)
        {
         g_pending[i].sent_us = MonotonicUs();
         g_pending[i].tries++;
         if(!LinkSend(g_pending[i].frame))
           {
            LinkLost("send error " + IntegerToString(GetLastError()));
            return false;
           }
        }
      if(g_pending[i].sent_us == 0)
         break;
      on_way++;
     }
   return true;
  }

// Send what is due on a link that is up. False where it was dropped.
bool LinkTalk()
  {
   NowMs();
   if(g_clock_stepped)
     {
      // One that is held up looks like one of a clock that was set back: the server believes the second.
      g_link_beats_wanted = 2;
      g_link_beat_us = 0;
      g_clock_stepped = false;
     }
   // Answers first: the server may wait for one before it takes the next signal.
   while(ArraySize(g_answers) > 0)
     {
      if(!LinkSend(g_answers[0]))
        {
         LinkLost("send error " + IntegerToString(GetLastError()));
         return false;
        }
      AnswerRemoveFirst();
     }
   if(g_link_beats_wanted == 0 && !LinkSendPending())
      return false;
   bool due = MonotonicMs() - g_link_beat_ms >= g_link_heartbeat_s * 1000
              || (g_link_beats_wanted > 0 && g_link_beat_us == 0);
   if(!due || LinkHeartbeat())
      return true;
   LinkLost("send error " + IntegerToString(GetLastError()));
   return false;
  }

// Start a connection.
void LinkOpen()
  {
   string problem = WireOpen(g_link_host, g_link_port, g_link_tls);
   if(problem != "")
     {
      if(StringFind(problem, "not allowed") == 0)
         AlertOnce(problem);
      LinkLost(problem);
      return;
     }
   g_link_heard_ms = MonotonicMs();
   LinkEnter(g_link_ws ? LINK_UPGRADE : LINK_CHALLENGE);
   g_link_text = "greeting, " + LinkName();
   if(g_link_ws && !WsAsk(g_link_host, g_link_port, "/"))
      LinkLost("send error " + IntegerToString(GetLastError()));
  }

// Read what has come and act on it. False where the link was dropped.
bool LinkListen()
  {
   int before = ArraySize(g_wire_rx), got = 0;
   bool open = WirePoll();
   string frame;
   if(ArraySize(g_wire_rx) > before)
      g_link_heard_ms = MonotonicMs();
   if(g_link == LINK_UPGRADE)
     {
      int answer = WsAnswer();
      if(answer < 0)
        {
         LinkLost("upgrade refused");
         return false;
        }
      if(answer > 0)
         LinkEnter(LINK_CHALLENGE);
     }
   while(g_link != LINK_UPGRADE)
     {
      got = LinkNext(frame);
      if(got <= 0)
         break;
      if(!LinkTake(frame))
         return false;
      // The time that a frame took us is no silence of the server.
      g_link_heard_ms = MonotonicMs();
     }
   if(got < 0)
      LinkLost("what came is no frame");
   else
      if(!open)
         LinkLost("closed by the server");
   return g_link != LINK_DOWN;
  }

// Waiting that has an end. False where the link was dropped.
bool LinkWatch()
  {
   long now_ms = MonotonicMs();
   if(g_link != LINK_UP && now_ms - g_link_since_ms >= GREETING_WAIT_MS)
     {
      LinkLost("no greeting");
      return false;
     }
   if(g_link == LINK_UP && now_ms - g_link_heard_ms > (long)g_link_heartbeat_s * 1000 * HEARTBEATS_MISSED)
     {
      LinkLost("the server is silent");
      return false;
     }
   return true;
  }

// One turn of the timer.
void LinkPump()
  {
   AgeOut();
   if(g_link == LINK_DOWN)
     {
      if(MonotonicMs() >= g_link_next_ms && !g_killed)
         LinkOpen();
      return;
     }
   if(!LinkListen() || !LinkWatch())
      return;
   // Listened again: over a near link the answer is there before the next turn of the timer.
   if(g_link == LINK_UP && LinkTalk())
      LinkListen();
  }

#endif
