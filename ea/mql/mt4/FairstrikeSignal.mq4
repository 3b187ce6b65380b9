//+------------------------------------------------------------------+
//| FairstrikeSignal.mq4                                               |
//| Turns orders of the terminal, and calls of FairstrikeOpen, into    |
//| signals over HTTP. docs/ea/install.md says how to install it.      |
//| ASCII source.                                                      |
//+------------------------------------------------------------------+
#property copyright   "Fairstrike"
#property version     "1.00"
#property strict
#property description "Sends every position opened on this account, by an expert or by hand, to a Fairstrike server."
#property description "First allow the server: Tools > Options > Expert Advisors > Allow WebRequest for listed URL:"
#property description "InpUrl, for example https://bridge.example.com."
#property description "Put the key into MQL4\\Files\\Fairstrike\\<InpName>.key. It neither trades nor needs a DLL."

#define SOURCE_NAME      "mt4"
#define HTTP_NOT_ALLOWED 4060

input string InpUrl     = "http://127.0.0.1";  // Server: https:// and its name; must be allowed under Tools > Options
input int    InpTimerMs = 100;                 // Turn of the timer, ms (50..1000)

#include "../common/Http.mqh"
#include "../common/Pairing.mqh"
#include "../common/Follow.mqh"
#include "Orders.mqh"
#include "../common/Call.mqh"

bool g_expert_ready = false;

// Signals of calls come from no expert with a number.
long CallMagic()
  {
   return 0;
  }

// Stop with a reason that the user sees.
int ExpertRefuse(const string why)
  {
   Alert("Fairstrike: " + why);
   Comment("Fairstrike " + InpName + " does not run: " + why);
   return INIT_FAILED;
  }

// What is wrong with the address and the timer, or an empty text.
string AddressProblem()
  {
   bool near_by = InpUrl == "http://127.0.0.1" || InpUrl == "http://localhost";
   bool secure = StringFind(InpUrl, "https://") == 0 && StringLen(InpUrl) > 8;
   if(!near_by && !secure)
      return "InpUrl starts with https://, or is http://127.0.0.1";
   if(StringFind(InpUrl, "/", 8) >= 0)
      return "InpUrl has no path and no / at its end";
   if(InpTimerMs < 50 || InpTimerMs > 1000)
      return "InpTimerMs must be 50 to 1000";
   return "";
  }

int OnInit()
  {
   if(MQLInfoInteger(MQL_TESTER) != 0)
      return ExpertRefuse("the strategy tester has no network");
   string problem = SettingsProblem();
   if(problem == "")
      problem = AddressProblem();
   if(problem != "")
      return ExpertRefuse(problem);
   MathSrand((int)(((long)TimeLocal() ^ (long)GetTickCount()) & 0x7fffffff));
   g_http_url = InpUrl;
   problem = KeyEnsure(InpName, InpPairingCode, "MQL4\\Files");
   if(problem != "")
      return ExpertRefuse(problem);
   if(!SidLoad(InpName) || !SpoolOpen(InstallFile(InpName, ".spool"), g_sid))
      return ExpertRefuse("the spool cannot be opened: another chart uses this InpName, or the disk is full");
   OrdersBegin();
   g_expert_ready = true;
   if(!EventSetMillisecondTimer(InpTimerMs))
      return ExpertRefuse("no timer");
   StatusShow();
   return INIT_SUCCEEDED;
  }

void OnDeinit(const int reason)
  {
   EventKillTimer();
   if(!g_expert_ready)
      return;
   SpoolClose();
   if(!g_killed)
      Comment("");
  }

void OnTimer()
  {
   OrdersPump();
   HttpPump();
   StatusShow();
  }

void OnChartEvent(const int id, const long &lparam, const double &dparam, const string &sparam)
  {
   if(CallTake(id, lparam, sparam))
      HttpPump();
  }
