//+------------------------------------------------------------------+
//| Expert.mqh - what both experts of MetaTrader 5 do with their events|
//| ASCII source.                                                      |
//+------------------------------------------------------------------+
#ifndef FAIRSTRIKE_EXPERT
#define FAIRSTRIKE_EXPERT

#define SOURCE_NAME      "mt5"
#define HTTP_NOT_ALLOWED 4014

enum TRANSPORT
  {
   TRANSPORT_TCP = 0,        // TCP
   TRANSPORT_WEBSOCKET = 1,  // WebSocket
   TRANSPORT_HTTP = 2        // HTTP
  };

input TRANSPORT InpTransport = TRANSPORT_TCP;     // How to reach the server
input string    InpHost      = "127.0.0.1";       // Server's name; allow it under Tools > Options > Expert Advisors
input int       InpPort      = 9100;              // Port of TCP or WebSocket; HTTP takes 80 or 443
input bool      InpTls       = false;             // Encrypt: needed everywhere but on this computer
input int       InpTimerMs   = 20;                // Turn of the timer, ms (10..1000)

#include "Stream.mqh"
#include "../common/Http.mqh"
#include "../common/Pairing.mqh"
#include "Deals.mqh"

bool g_expert_ready = false;

// Stop with a reason that the user sees.
int ExpertRefuse(const string why)
  {
   Alert("Fairstrike: " + why);
   Comment("Fairstrike " + InpName + " does not run: " + why);
   return INIT_FAILED;
  }

// What is wrong with the inputs of the transport, or an empty text.
string TransportProblem()
  {
   if(StringLen(InpHost) == 0 || StringFind(InpHost, "/") >= 0)
      return "InpHost is the name of a server, without http:// and without a path";
   if(InpPort < 1 || InpPort > 65535)
      return "InpPort must be 1 to 65535";
   if(InpTimerMs < 10 || InpTimerMs > 1000)
      return "InpTimerMs must be 10 to 1000";
   bool near_by = InpHost == "127.0.0.1" || InpHost == "localhost";
   if(!InpTls && !near_by)
      return "InpTls must be on: the server is not on this computer";
   return "";
  }

int ExpertBegin()
  {
   if(MQLInfoInteger(MQL_TESTER) != 0)
      return ExpertRefuse("the strategy tester has no network");
   string problem = SettingsProblem();
   if(problem == "")
      problem = TransportProblem();
   if(problem != "")
      return ExpertRefuse(problem);
   MathSrand((int)(((long)TimeLocal() ^ (long)GetTickCount()) & 0x7fffffff));
   g_http_url = (InpTls ? "https://" : "http://") + InpHost;
   problem = KeyEnsure(InpName, InpPairingCode, "MQL5\\Files");
   if(problem != "")
      return ExpertRefuse(problem);
   if(!SidLoad(InpName) || !SpoolOpen(InstallFile(InpName, ".spool"), g_sid))
      return ExpertRefuse("the spool cannot be opened: another chart uses this InpName, or the disk is full");
   g_link_host = InpHost;
   g_link_port = InpPort;
   g_link_tls = InpTls;
   g_link_ws = InpTransport == TRANSPORT_WEBSOCKET;
   DealsBegin();
   g_expert_ready = true;
   if(!EventSetMillisecondTimer(InpTimerMs))
      return ExpertRefuse("no timer");
   StatusShow();
   return INIT_SUCCEEDED;
  }

void ExpertTimer()
  {
   DealsPump();
   if(InpTransport == TRANSPORT_HTTP)
      HttpPump();
   else
      LinkPump();
   StatusShow();
  }

void ExpertEnd()
  {
   EventKillTimer();
   if(!g_expert_ready)
      return;
   WireClose();
   SpoolClose();
   if(!g_killed)
      Comment("");
  }

#endif
