//+------------------------------------------------------------------+
//| Signal.mqh - build a signal, number it, put it into the spool      |
//| MetaTrader 5 and 4; ASCII source.                                  |
//+------------------------------------------------------------------+
#ifndef FAIRSTRIKE_SIGNAL
#define FAIRSTRIKE_SIGNAL

#include "Inputs.mqh"
#include "Install.mqh"
#include "Spool.mqh"

#define NOTE_LONGEST  200
#define FULL_ALERT_MS 60000         // quiet time between two alerts about a full spool

// What one signal says; fill it with SignalBlank, then set what is known.
struct SignalTerms
  {
   string            symbol;
   string            direction;   // call or put
   string            stake;       // decimal
   int               expiry_s;
   string            ticket;      // deal or order it comes from; empty = none
   long              deal_s;      // broker time of that deal, s
   long              event_ms;    // Unix time of what caused it, ms
   string            price;       // decimal; empty = the bid
   long              magic;
   string            note;        // comes back in results, is never interpreted
  };

bool   g_paused = false;          // by a command: no new signals
bool   g_killed = false;
string g_stake = "";              // inputs, until the server sends parameters
int    g_expiry_s = 0;
int    g_valid_ms = 0;
string g_min_payout = "";
string g_max_drift = "";
long   g_params_rev = 0;
string g_currency = "";
long   g_full_alert_ms = 0;

// Take the inputs; what is wrong with them, or an empty text.
string SettingsProblem()
  {
   g_stake = InpStake;
   g_expiry_s = InpExpiryS;
   g_valid_ms = InpValidMs;
   g_min_payout = InpMinPayout;
   g_max_drift = InpMaxDrift;
   g_currency = InpCurrency;
   if(!IsName(InpName, 24))
      return "InpName takes 1 to 24 letters, digits or . _ -";
   if(InpStrategy != "" && !IsName(InpStrategy, 40))
      return "InpStrategy takes at most 40 letters, digits or . _ -";
   if(!IsDecimal(InpStake))
      return "InpStake is no decimal number";
   if(InpCurrency != "" && (StringLen(InpCurrency) != 3 || !IsName(InpCurrency, 3)))
      return "InpCurrency is empty or the code of a currency, such as USD";
   if(InpExpiryS < 5 || InpExpiryS > 86400)
      return "InpExpiryS must be 5 to 86400";
   if(InpValidMs != 0 && (InpValidMs < 200 || InpValidMs > 60000))
      return "InpValidMs must be 0 or 200 to 60000";
   if((InpMinPayout != "" && !IsDecimal(InpMinPayout)) || (InpMaxDrift != "" && !IsDecimal(InpMaxDrift)))
      return "InpMinPayout and InpMaxDrift are empty or decimal numbers";
   if(InpLedger != "" && InpLedger != "demo" && InpLedger != "real" && InpLedger != "tournament")
      return "InpLedger is empty, demo, real or tournament";
   if((InpLedger == "tournament") != (InpTournament != ""))
      return "InpTournament goes with InpLedger = tournament";
   return "";
  }

void SignalBlank(SignalTerms &terms)
  {
   terms.symbol = "";
   terms.direction = "";
   terms.stake = g_stake;
   terms.expiry_s = g_expiry_s;
   terms.ticket = "";
   terms.deal_s = 0;
   terms.event_ms = NowMs();
   terms.price = "";
   terms.magic = 0;
   terms.note = "";
  }

// How long a signal with this time to expiry is good for, ms.
int ValidMs(const int expiry_s)
  {
   if(g_valid_ms > 0)
      return g_valid_ms;
   return (int)MathMax(200, MathMin(5000, expiry_s * 100));
  }

// The members about money, time and prices.
string SignalTermsJson(const SignalTerms &terms)
  {
   string mode = InpStakeMode == STAKE_PERCENT ? "percent" : "fixed";
   double bid = SymbolInfoDouble(terms.symbol, SYMBOL_BID), ask = SymbolInfoDouble(terms.symbol, SYMBOL_ASK);
   string price = terms.price;
   if(price == "" && bid > 0)
      price = PriceText(terms.symbol, bid);
   string json = JsonMember("symbol", terms.symbol) + JsonMember("direction", terms.direction);
   json += ",\"stake\":{\"mode\":\"" + mode + "\"" + JsonMember("value", terms.stake);
   if(g_currency != "")
      json += JsonMember("currency", g_currency);
   json += "}";
   json += ",\"expiry\":{\"mode\":\"duration\"" + JsonNumber("s", terms.expiry_s) + "}";
   if(price != "")
      json += JsonMember("ref_price", price);
   if(bid > 0)
      json += JsonMember("bid", PriceText(terms.symbol, bid));
   if(ask > 0)
      json += JsonMember("ask", PriceText(terms.symbol, ask));
   if(g_min_payout != "")
      json += JsonMember("min_payout", g_min_payout);
   // A drift is measured from a price: without one it says nothing, and the server refuses it.
   if(g_max_drift != "" && price != "")
      json += JsonMember("max_drift", g_max_drift);
   return json;
  }

// The whole frame of a signal, signed: the bytes that are stored and sent.
string SignalFrame(const SignalTerms &terms, const long seq)
  {
   string json = "{\"type\":\"signal\",\"v\":1";
   json += JsonMember("event_id", Uuid7(g_sid + IntegerToString(seq)));
   json += JsonMember("kid", g_kid) + JsonMember("sid", g_sid);
   json += JsonNumber("seq", seq) + JsonMember("source", SOURCE_NAME);
   json += JsonMember("acct", IntegerToString(AccountInfoInteger(ACCOUNT_LOGIN)));
   json += JsonMember("server", AccountInfoString(ACCOUNT_SERVER));
   if(InpStrategy != "")
      json += JsonMember("strategy", InpStrategy);
   json += JsonNumber("magic", terms.magic) + ",\"action\":\"open\"";
   if(terms.ticket != "")
      json += JsonMember("src_ticket", terms.ticket);
   json += SignalTermsJson(terms);
   long created_ms = NowMs();
   json += JsonNumber("t_evt_ms", MathMin(terms.event_ms, created_ms)) + JsonNumber("t_sig_ms", created_ms);
   json += JsonNumber("valid_ms", ValidMs(terms.expiry_s));
   if(InpLedger == "tournament")
      json += ",\"target\":{\"ledger\":\"tournament\"" + JsonMember("id", InpTournament) + "}";
   else
      if(InpLedger != "")
         json += ",\"target\":{\"ledger\":\"" + InpLedger + "\"}";
   if(terms.note != "")
      json += ",\"meta\":{\"note\":" + JsonText(terms.note) + "}";
   return SignFrame(g_secret, json);
  }

// What is wrong with a signal, or an empty text.
string SignalProblem(const SignalTerms &terms)
  {
   if(g_killed || g_paused)
      return "paused";
   if(StringLen(terms.symbol) < 1 || StringLen(terms.symbol) > 32)
      return "symbol";
   if(terms.direction != "call" && terms.direction != "put")
      return "direction";
   if(!IsDecimal(terms.stake))
      return "stake";
   if(terms.expiry_s < 5 || terms.expiry_s > 86400)
      return "expiry";
   if(terms.ticket != "" && !IsName(terms.ticket, 32))
      return "ticket";
   if(StringLen(terms.note) > NOTE_LONGEST)
      return "note";
   return "";
  }

// Number a signal and store it; it is sent from the timer. Returns its event id, or an empty text where it was refused.
string SignalOpen(const SignalTerms &terms)
  {
   string problem = SignalProblem(terms);
   if(problem != "")
     {
      PrintFormat("signal refused: %s", problem);
      return "";
     }
   string frame = SignalFrame(terms, g_seq + 1);
   if(!SpoolStore(g_seq + 1, terms.deal_s, frame))
     {
      g_spool_refused++;
      if(MonotonicMs() >= g_full_alert_ms)
         Alert("Fairstrike: signal refused, the spool or the disk is full");
      g_full_alert_ms = MonotonicMs() + FULL_ALERT_MS;
      PrintFormat("signal refused: the spool or the disk is full");
      return "";
     }
   return g_pending[PendingCount() - 1].event_id;
  }

#endif
