//+------------------------------------------------------------------+
//| Id.mqh - event ids (UUID version 7, RFC 9562), names of installs   |
//| MetaTrader 5 and 4; ASCII source.                                  |
//+------------------------------------------------------------------+
#ifndef FAIRSTRIKE_ID
#define FAIRSTRIKE_ID

#include "Sign.mqh"
#include "Clock.mqh"

long g_id_calls = 0;

// 64 hexadecimal letters that differ at each call. MathRand has 15 bits only, so more is mixed in.
string Entropy(const string salt)
  {
   g_id_calls++;
   string mixed = salt + "|" + TerminalInfoString(TERMINAL_DATA_PATH);
   mixed += "|" + IntegerToString(AccountInfoInteger(ACCOUNT_LOGIN)) + "|" + AccountInfoString(ACCOUNT_SERVER);
   mixed += "|" + IntegerToString(MonotonicUs()) + "|" + IntegerToString((long)TimeLocal());
   mixed += "|" + IntegerToString(g_id_calls);
   for(int i = 0; i < 8; i++)
      mixed += "|" + IntegerToString(MathRand());
   return Sha256Hex(mixed);
  }

// A new UUID version 7; salt makes it unique even where clock and random numbers repeat.
string Uuid7(const string salt)
  {
   string when = StringFormat("%012I64x", NowMs());
   string hex = Entropy(salt);
   int variant = 8 + (int)StringGetCharacter(hex, 3) % 4;
   string id = TextPart(when, 0, 8) + "-" + TextPart(when, 8, 4);
   id += "-7" + TextPart(hex, 0, 3);
   id += "-" + StringFormat("%x", variant) + TextPart(hex, 4, 3);
   return id + "-" + TextPart(hex, 7, 12);
  }

#endif
