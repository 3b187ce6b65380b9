//+------------------------------------------------------------------+
//| FairstrikeSignal.mq5                                               |
//| Turns deals with its magic number, and calls of FairstrikeOpen,    |
//| into signals. docs/ea/install.md says how to install it.           |
//| ASCII source.                                                      |
//+------------------------------------------------------------------+
#property copyright   "Fairstrike"
#property version     "1.00"
#property description "Sends deals with one magic number, and calls of other programs, to a Fairstrike server."
#property description "First allow the server: Tools > Options > Expert Advisors > Allow WebRequest for listed URL:"
#property description "the host of InpHost, as in https://bridge.example.com, or http://127.0.0.1 for this computer."
#property description "Put the key into MQL5\\Files\\Fairstrike\\<InpName>.key. It neither trades nor needs a DLL."

#include "Expert.mqh"
#include "../common/Call.mqh"

input long InpMagic = 770001;   // Magic number whose deals become signals

// Whether a deal is one of ours.
bool DealIsWanted(const string symbol, const long magic)
  {
   return symbol != "" && magic == InpMagic;
  }

// Signals of calls carry the same number as those of deals.
long CallMagic()
  {
   return InpMagic;
  }

int OnInit()
  {
   return ExpertBegin();
  }

void OnDeinit(const int reason)
  {
   ExpertEnd();
  }

void OnTimer()
  {
   ExpertTimer();
  }

void OnTradeTransaction(const MqlTradeTransaction &trans, const MqlTradeRequest &request, const MqlTradeResult &result)
  {
   if(trans.type != TRADE_TRANSACTION_DEAL_ADD)
      return;
   g_deals_hint = true;
   ExpertTimer();
  }

void OnChartEvent(const int id, const long &lparam, const double &dparam, const string &sparam)
  {
   if(CallTake(id, lparam, sparam))
      ExpertTimer();
  }
