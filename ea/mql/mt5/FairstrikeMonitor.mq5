//+------------------------------------------------------------------+
//| FairstrikeMonitor.mq5                                              |
//| Turns every position that is opened on this account, by any expert |
//| or by hand, into a signal. docs/ea/install.md says how to install. |
//| ASCII source.                                                      |
//+------------------------------------------------------------------+
#property copyright   "Fairstrike"
#property version     "1.00"
#property description "Sends every position opened on this account, by an expert or by hand, to a Fairstrike server."
#property description "First allow the server: Tools > Options > Expert Advisors > Allow WebRequest for listed URL:"
#property description "the host of InpHost, as in https://bridge.example.com, or http://127.0.0.1 for this computer."
#property description "Put the key into MQL5\\Files\\Fairstrike\\<InpName>.key. It neither trades nor needs a DLL."

#include "Expert.mqh"
#include "../common/Follow.mqh"

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
