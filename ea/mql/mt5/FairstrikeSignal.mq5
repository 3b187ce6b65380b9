//+------------------------------------------------------------------+
//| FairstrikeSignal.mq5                                               |
//| Turns deals with its magic number, and calls of FairstrikeOpen,    |
//| into signals. docs/ea/install.md says how to install it.           |
//| ASCII source.                                                      |
//+------------------------------------------------------------------+
#property copyright   "Fairstrike"
#property version     "1.00"
#property description "Sends deals with one magic number, and calls of other programs, as signals to a Fairstrike server."
#property description "First allow the server under Tools > Options > Expert Advisors > Allow WebRequest for listed URL:"
#property description "the host of InpHost, for example https://bridge.example.com, or http://127.0.0.1 for this computer."
#property description "Put the key into MQL5\\Files\\Fairstrike\\<InpName>.key. It neither trades nor needs a DLL."

#include "Expert.mqh"

input long InpMagic = 770001;   // Magic number whose deals become signals

#define CALL_EVENT 7700         // custom chart event number of a call

// Whether a deal is one of ours.
bool DealIsWanted(const string symbol, const long magic)
  {
   return symbol != "" && magic == InpMagic;
  }

//+------------------------------------------------------------------+
//| Open a position at the server. For code that is added to this      |
//| expert; other programs use EventChartCustom, see OnChartEvent.     |
//|   symbol     as the terminal writes it                             |
//|   direction  call (the price will be higher) or put                |
//|   stake      decimal text; empty = InpStake                        |
//|   expiry_s   seconds; 0 = InpExpiryS                               |
//|   ticket     a name of at most 32 letters: the server takes one    |
//|              signal for it, ever; empty = every call is new        |
//|   note       comes back with the results                           |
//| Returns the event id, or an empty text where it was refused. It is |
//| on disk then and goes out with the next turn of the timer.         |
//+------------------------------------------------------------------+
string FairstrikeOpen(const string symbol, const string direction, const string stake, const int expiry_s,
                      const string ticket, const string note)
  {
   if(ticket != "" && HandledHas(ticket))
     {
      PrintFormat("signal refused: ticket %s has one", ticket);
      return "";
     }
   SignalTerms terms;
   SignalBlank(terms);
   terms.symbol = symbol;
   terms.direction = direction;
   if(stake != "")
      terms.stake = stake;
   if(expiry_s > 0)
      terms.expiry_s = expiry_s;
   terms.ticket = ticket;
   // Its ticket is remembered as long as that of a deal of this moment.
   terms.deal_s = ticket == "" ? 0 : (long)TimeTradeServer();
   terms.magic = InpMagic;
   terms.note = note;
   return SignalOpen(terms);
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

// A call of another program on the same terminal:
//   EventChartCustom(chart, 7700, expiry_s, 0, "EURUSD|call|25.00|ticket|note")
// Stake, ticket and note may be empty, expiry_s may be 0.
void OnChartEvent(const int id, const long &lparam, const double &dparam, const string &sparam)
  {
   string parts[];
   if(id != CHARTEVENT_CUSTOM + CALL_EVENT)
      return;
   int count = StringSplit(sparam, '|', parts);
   if(count < 2 || count > 5 || lparam < 0 || lparam > 86400)
     {
      PrintFormat("call refused: %s", sparam);
      return;
     }
   string stake = count > 2 ? parts[2] : "", ticket = count > 3 ? parts[3] : "", note = count > 4 ? parts[4] : "";
   FairstrikeOpen(parts[0], parts[1], stake, (int)lparam, ticket, note);
  }
