//+------------------------------------------------------------------+
//| Call.mqh - signals that a program asks for, without a deal         |
//| MetaTrader 5 and 4; ASCII source.                                  |
//+------------------------------------------------------------------+
#ifndef FAIRSTRIKE_CALL
#define FAIRSTRIKE_CALL

#include "Signal.mqh"

#define CALL_EVENT 7700         // custom chart event number of a call

//+------------------------------------------------------------------+
//| Open a position at the server. For code that is added to an expert |
//| of ours; other programs use EventChartCustom, see CallTake.        |
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
   terms.deal_s = ticket == "" ? 0 : BrokerTimeS();
   terms.magic = CallMagic();
   terms.note = note;
   return SignalOpen(terms);
  }

// A call of another program on the same terminal:
//   EventChartCustom(chart, 7700, expiry_s, 0, "EURUSD|call|25.00|ticket|note")
// Stake, ticket and note may be empty, expiry_s may be 0. Returns whether the event was a call.
bool CallTake(const int id, const long expiry_s, const string text)
  {
   string parts[];
   if(id != CHARTEVENT_CUSTOM + CALL_EVENT)
      return false;
   int count = StringSplit(text, '|', parts);
   if(count < 2 || count > 5 || expiry_s < 0 || expiry_s > 86400)
     {
      PrintFormat("call refused: %s", text);
      return true;
     }
   string stake = count > 2 ? parts[2] : "", ticket = count > 3 ? parts[3] : "", note = count > 4 ? parts[4] : "";
   FairstrikeOpen(parts[0], parts[1], stake, (int)expiry_s, ticket, note);
   return true;
  }

#endif
