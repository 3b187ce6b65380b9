// MetaTrader 5: sockets, deals, trade transactions. Only documented functions, with their documented signatures.
#pragma once
#include "terminal.hpp"

// Error numbers that the documentation names.
enum
{
  ERR_FUNCTION_NOT_ALLOWED = 4014,
  ERR_NETSOCKET_INVALIDHANDLE = 5270,
  ERR_NETSOCKET_CANNOT_CONNECT = 5272,
  ERR_NETSOCKET_IO_ERROR = 5273,
  ERR_NETSOCKET_HANDSHAKE_FAILED = 5274
};

int SocketCreate(uint flags = 0);
bool SocketClose(const int socket);
bool SocketConnect(int socket, const string server, uint port, uint timeout_ms);
bool SocketIsConnected(const int socket);
uint SocketIsReadable(const int socket);
int SocketSend(int socket, const MqlArray<uchar> &buffer, uint count);
int SocketRead(int socket, MqlArray<uchar> &buffer, uint count, uint timeout_ms);
bool SocketTlsHandshake(int socket, const string host);
int SocketTlsSend(int socket, const MqlArray<uchar> &buffer, uint count);
int SocketTlsReadAvailable(int socket, MqlArray<uchar> &buffer, const uint count);

datetime TimeTradeServer();
bool StringToLower(string &text);

enum ENUM_TRADE_TRANSACTION_TYPE : int
{
  TRADE_TRANSACTION_ORDER_ADD,
  TRADE_TRANSACTION_ORDER_UPDATE,
  TRADE_TRANSACTION_ORDER_DELETE,
  TRADE_TRANSACTION_DEAL_ADD,
  TRADE_TRANSACTION_DEAL_UPDATE,
  TRADE_TRANSACTION_DEAL_DELETE,
  TRADE_TRANSACTION_HISTORY_ADD,
  TRADE_TRANSACTION_HISTORY_UPDATE,
  TRADE_TRANSACTION_HISTORY_DELETE,
  TRADE_TRANSACTION_POSITION,
  TRADE_TRANSACTION_REQUEST
};
enum ENUM_DEAL_TYPE : int { DEAL_TYPE_BUY, DEAL_TYPE_SELL, DEAL_TYPE_BALANCE };
enum ENUM_DEAL_ENTRY : int { DEAL_ENTRY_IN, DEAL_ENTRY_OUT, DEAL_ENTRY_INOUT, DEAL_ENTRY_OUT_BY };
enum ENUM_DEAL_PROPERTY_INTEGER { DEAL_TICKET, DEAL_ORDER, DEAL_TIME, DEAL_TIME_MSC, DEAL_TYPE, DEAL_ENTRY, DEAL_MAGIC };
enum ENUM_DEAL_PROPERTY_DOUBLE { DEAL_VOLUME, DEAL_PRICE };
enum ENUM_DEAL_PROPERTY_STRING { DEAL_SYMBOL, DEAL_COMMENT };

struct MqlTradeTransaction
{
  ulong deal = 0;
  ulong order = 0;
  string symbol;
  ENUM_TRADE_TRANSACTION_TYPE type = TRADE_TRANSACTION_ORDER_ADD;
  ENUM_DEAL_TYPE deal_type = DEAL_TYPE_BUY;
  double price = 0;
  double volume = 0;
  ulong position = 0;
};
struct MqlTradeRequest
{
  ulong magic = 0;
  ulong order = 0;
  string symbol;
  double volume = 0;
  double price = 0;
};
struct MqlTradeResult
{
  uint retcode = 0;
  ulong deal = 0;
  ulong order = 0;
};

// A history function reads only what HistorySelect or HistoryDealSelect has chosen before.
bool HistorySelect(datetime from, datetime to);
bool HistoryDealSelect(ulong ticket);
int HistoryDealsTotal();
ulong HistoryDealGetTicket(int index);
long HistoryDealGetInteger(ulong ticket, ENUM_DEAL_PROPERTY_INTEGER property);
double HistoryDealGetDouble(ulong ticket, ENUM_DEAL_PROPERTY_DOUBLE property);
string HistoryDealGetString(ulong ticket, ENUM_DEAL_PROPERTY_STRING property);

int OnInit();
void OnDeinit(const int reason);
void OnTimer();
void OnTradeTransaction(const MqlTradeTransaction &trans, const MqlTradeRequest &request, const MqlTradeResult &result);
// Not every expert has this one.
__attribute__((weak)) void OnChartEvent(const int id, const long &lparam, const double &dparam, const string &sparam);
