//+------------------------------------------------------------------+
//| Follow.mqh - which trades of the terminal become signals           |
//| MetaTrader 5 and 4; ASCII source.                                  |
//+------------------------------------------------------------------+
#ifndef FAIRSTRIKE_FOLLOW
#define FAIRSTRIKE_FOLLOW

#include "Text.mqh"

input string InpMagics  = "";   // Magic numbers to follow, with commas; 0 = by hand; empty = all
input string InpSymbols = "";   // Symbols to follow, with commas; empty = all

// Whether a list with commas names a value; an empty list names all.
bool ListNames(const string list, const string value)
  {
   string parts[];
   if(list == "")
      return true;
   int count = StringSplit(list, ',', parts);
   for(int i = 0; i < count; i++)
      if(parts[i] == value)
         return true;
   return false;
  }

// Whether a deal or order is followed.
bool DealIsWanted(const string symbol, const long magic)
  {
   return ListNames(InpSymbols, symbol) && ListNames(InpMagics, IntegerToString(magic));
  }

#endif
