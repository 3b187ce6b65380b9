//+------------------------------------------------------------------+
//| Orders.mqh - orders of the terminal become signals, each once      |
//| MetaTrader 4 tells nobody about a trade: open and closed orders    |
//| are looked through from the timer, and known by their tickets.     |
//| MetaTrader 4 only; ASCII source.                                   |
//+------------------------------------------------------------------+
#ifndef FAIRSTRIKE_ORDERS
#define FAIRSTRIKE_ORDERS

#include "../common/Status.mqh"

#define ORDERS_EVERY_MS  200
#define ORDERS_CLOSED    200        // closed orders looked at: one may open and close between two looks
#define ORDERS_OVERLAP_S 300
#define ORDERS_TIDY_MS   10000

bool g_orders_first = false;        // the first run ever: what was opened before is not ours
long g_orders_quote_s = 0;          // time of the last quote when this run began
long g_orders_next_ms = 0;
long g_orders_tidy_ms = 0;

// The broker's clock, s: the time of the last quote.
long BrokerTimeS()
  {
   return (long)TimeCurrent();
  }

// How far the broker's clock is ahead of UTC, s, in quarters of an hour.
long BrokerZoneS()
  {
   double quarters = (double)(BrokerTimeS() - (long)TimeGMT()) / 900.0;
   return (long)MathRound(quarters) * 900;
  }

// Turn the selected order into a signal. False where it must be tried again.
bool OrderTake(const string name, const long opened_s)
  {
   // What is left of an order that was closed in part gets a new ticket, but is no new position.
   string comment = OrderComment();
   if(StringFind(comment, "from #") == 0 || StringFind(comment, "split from #") == 0)
      return true;
   SignalTerms terms;
   SignalBlank(terms);
   terms.symbol = OrderSymbol();
   terms.magic = OrderMagicNumber();
   if(g_orders_first || !DealIsWanted(terms.symbol, terms.magic))
      return true;
   // By the broker's clock alone, so that no difference between clocks makes a fresh order late.
   if(g_paused || g_killed || BrokerTimeS() - opened_s > ValidMs(terms.expiry_s) / 1000 + 1)
     {
      g_late++;
      PrintFormat("order %s is %s, no signal", name, g_paused ? "made while paused" : "too old");
      return true;
     }
   terms.direction = OrderType() == OP_BUY ? "call" : "put";
   terms.ticket = name;
   terms.deal_s = opened_s;
   terms.price = PriceText(terms.symbol, OrderOpenPrice());
   terms.event_ms = (opened_s - BrokerZoneS()) * 1000;
   return SignalOpen(terms) != "";
  }

// Look at one place of a pool.
void OrderLook(const int place, const int pool)
  {
   if(!OrderSelect(place, SELECT_BY_POS, pool))
      return;
   int type = OrderType();
   long opened_s = (long)OrderOpenTime();
   string name = IntegerToString(OrderTicket());
   // A pending order keeps its ticket when it is filled: it is looked at again then.
   if((type != OP_BUY && type != OP_SELL) || opened_s < g_deals_from_s || HandledHas(name))
      return;
   if(OrderTake(name, opened_s) && !HandledHas(name))
      HandledAdd(name, opened_s);
  }

void OrdersScan()
  {
   // Oldest first, so that numbers follow the order of the trades.
   int closed = OrdersHistoryTotal(), open = OrdersTotal();
   for(int i = MathMax(0, closed - ORDERS_CLOSED); i < closed; i++)
      OrderLook(i, MODE_HISTORY);
   for(int k = 0; k < open; k++)
      OrderLook(k, MODE_TRADES);
  }

// Begin where the last run ended. In the first run ever, what was opened before is noted and left alone.
void OrdersBegin()
  {
   g_orders_quote_s = BrokerTimeS();
   g_orders_first = g_deals_from_s == 0;
   if(!g_orders_first)
      return;
   DealsFrom(MathMax(1, BrokerTimeS() - ORDERS_OVERLAP_S));
   OrdersScan();
   g_orders_first = false;
  }

// Move on to where the oldest order that is not acknowledged stands, less an overlap.
void OrdersTidy()
  {
   if(MonotonicMs() < g_orders_tidy_ms)
      return;
   g_orders_tidy_ms = MonotonicMs() + ORDERS_TIDY_MS;
   long from_s = BrokerTimeS();
   for(int i = 0; i < PendingCount(); i++)
      if(g_pending[i].deal_s > 0)
         from_s = MathMin(from_s, g_pending[i].deal_s);
   DealsFrom(from_s - ORDERS_OVERLAP_S);
   SpoolTidy();
  }

// One turn of the timer.
void OrdersPump()
  {
   // Until a quote has come, the broker's clock stands still, and an old order would look fresh.
   if(MonotonicMs() < g_orders_next_ms || BrokerTimeS() == g_orders_quote_s)
      return;
   g_orders_next_ms = MonotonicMs() + ORDERS_EVERY_MS;
   OrdersScan();
   OrdersTidy();
  }

#endif
