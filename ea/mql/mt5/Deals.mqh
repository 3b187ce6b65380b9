//+------------------------------------------------------------------+
//| Deals.mqh - deals of the terminal become signals, each once        |
//| OnTradeTransaction is only a hint: calls may be displaced, repeated|
//| or reordered. The history is read again from the timer, and a deal |
//| is known by its ticket.                                            |
//| MetaTrader 5 only; ASCII source.                                   |
//+------------------------------------------------------------------+
#ifndef FAIRSTRIKE_DEALS
#define FAIRSTRIKE_DEALS

#include "../common/Status.mqh"

#define DEALS_EVERY_MS   1000       // how often the history is read without a hint
#define DEALS_OVERLAP_S  300        // deals may show up late, with an earlier time
#define DEALS_AHEAD_S    86400
#define DEALS_TIDY_MS    10000

bool g_deals_hint = true;
bool g_deals_first = false;         // the first run ever: what happened before is not ours
long g_deals_next_ms = 0;
long g_deals_tidy_ms = 0;

// The broker's clock, s.
long BrokerTimeS()
  {
   return (long)TimeTradeServer();
  }

// The broker's clock is in its own time zone: how far it is ahead of UTC, s, in quarters of an hour.
long BrokerZoneS()
  {
   double quarters = (double)(BrokerTimeS() - (long)TimeGMT()) / 900.0;
   return (long)MathRound(quarters) * 900;
  }

// Turn one deal of the selected history into a signal. False where it must be tried again.
bool DealTake(const ulong ticket)
  {
   string name = IntegerToString((long)ticket);
   SignalTerms terms;
   SignalBlank(terms);
   terms.deal_s = HistoryDealGetInteger(ticket, DEAL_TIME);
   terms.symbol = HistoryDealGetString(ticket, DEAL_SYMBOL);
   terms.magic = HistoryDealGetInteger(ticket, DEAL_MAGIC);
   long type = HistoryDealGetInteger(ticket, DEAL_TYPE), entry = HistoryDealGetInteger(ticket, DEAL_ENTRY);
   if(type != DEAL_TYPE_BUY && type != DEAL_TYPE_SELL)
      return true;
   if(entry != DEAL_ENTRY_IN && entry != DEAL_ENTRY_INOUT)
      return true;
   if(g_deals_first || !DealIsWanted(terms.symbol, terms.magic))
      return true;
   // By the broker's clock alone, so that no difference between clocks makes a fresh deal late.
   long age_s = BrokerTimeS() - terms.deal_s;
   if(g_paused || g_killed || age_s > ValidMs(terms.expiry_s) / 1000 + 1)
     {
      g_late++;
      PrintFormat("deal %s is %s, no signal", name, g_paused ? "made while paused" : "too old");
      return true;
     }
   terms.direction = type == DEAL_TYPE_BUY ? "call" : "put";
   terms.ticket = name;
   terms.price = PriceText(terms.symbol, HistoryDealGetDouble(ticket, DEAL_PRICE));
   terms.event_ms = HistoryDealGetInteger(ticket, DEAL_TIME_MSC) - BrokerZoneS() * 1000;
   return SignalOpen(terms) != "";
  }

// Read the history from where deals are not settled yet.
void DealsScan()
  {
   datetime from = (datetime)g_deals_from_s, until = (datetime)(BrokerTimeS() + DEALS_AHEAD_S);
   if(!HistorySelect(from, until))
      return;
   int count = HistoryDealsTotal();
   for(int i = 0; i < count; i++)
     {
      ulong ticket = HistoryDealGetTicket(i);
      string name = IntegerToString((long)ticket);
      if(ticket == 0 || HandledHas(name))
         continue;
      long deal_s = HistoryDealGetInteger(ticket, DEAL_TIME);
      // A signal notes its ticket itself, together with the signal.
      if(DealTake(ticket) && !HandledHas(name))
         HandledAdd(name, deal_s);
     }
   g_deals_first = false;
  }

// Begin where the last run ended. In the first run ever, what happened before is noted and left alone.
void DealsBegin()
  {
   g_deals_first = g_deals_from_s == 0;
   if(g_deals_first)
      DealsFrom(BrokerTimeS() - DEALS_OVERLAP_S);
   DealsScan();
  }

// Move on to where the oldest deal that is not acknowledged stands, less an overlap.
void DealsTidy()
  {
   if(MonotonicMs() < g_deals_tidy_ms)
      return;
   g_deals_tidy_ms = MonotonicMs() + DEALS_TIDY_MS;
   long from_s = BrokerTimeS();
   for(int i = 0; i < PendingCount(); i++)
      if(g_pending[i].deal_s > 0)
         from_s = MathMin(from_s, g_pending[i].deal_s);
   DealsFrom(from_s - DEALS_OVERLAP_S);
   SpoolTidy();
  }

// One turn of the timer.
void DealsPump()
  {
   if(!g_deals_hint && MonotonicMs() < g_deals_next_ms)
      return;
   g_deals_hint = false;
   g_deals_next_ms = MonotonicMs() + DEALS_EVERY_MS;
   DealsScan();
   DealsTidy();
  }

#endif
