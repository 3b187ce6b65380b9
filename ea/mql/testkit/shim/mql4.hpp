// MetaTrader 4: the pools of orders. Only documented functions, with their documented signatures; there are no sockets.
#pragma once
#include "terminal.hpp"

enum
{
  OP_BUY = 0,
  OP_SELL = 1,
  OP_BUYLIMIT = 2,
  OP_SELLLIMIT = 3,
  OP_BUYSTOP = 4,
  OP_SELLSTOP = 5
};
enum
{
  SELECT_BY_POS = 0,
  SELECT_BY_TICKET = 1
};
enum
{
  MODE_TRADES = 0,
  MODE_HISTORY = 1
};

int OrdersTotal();
int OrdersHistoryTotal();
bool OrderSelect(int index, int select, int pool = MODE_TRADES);
// What follows reads a copy that OrderSelect made.
int OrderTicket();
int OrderType();
int OrderMagicNumber();
string OrderSymbol();
string OrderComment();
datetime OrderOpenTime();
double OrderOpenPrice();

int OnInit();
void OnDeinit(const int reason);
void OnTimer();
void OnChartEvent(const int id, const long &lparam, const double &dparam, const string &sparam);
