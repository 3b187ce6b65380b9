// Sockets and deals of MetaTrader 5, with the traps that its documentation tells of.
#include "mql5.hpp"

#include "simulator.hpp"
#include "tls.hpp"

#include <cerrno>
#include <map>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

using namespace terminal;

namespace
{
struct Deal
{
  ulong ticket = 0;
  std::string symbol;
  long type = DEAL_TYPE_BUY, entry = DEAL_ENTRY_IN, magic = 0, time_ms = 0;
  double price = 0;
};

std::map<int, int> sockets; // our handle -> descriptor, -1 before SocketConnect
int next_socket = 1;
std::vector<Deal> history;
std::vector<Deal> selected;

bool is_connected(int socket)
{
  auto found = sockets.find(socket);
  if (found == sockets.end())
    last_error = ERR_NETSOCKET_INVALIDHANDLE;
  return found != sockets.end() && found->second >= 0;
}

int lost(int answer)
{
  last_error = ERR_NETSOCKET_IO_ERROR;
  return answer;
}

const Deal *selected_deal(ulong ticket)
{
  for (const Deal &deal : selected)
    if (deal.ticket == ticket)
      return &deal;
  return nullptr;
}

void history_load()
{
  char symbol[64];
  Deal deal;
  FILE *file = fopen("history.txt", "r");
  while (file && fscanf(file, "%lu %63s %ld %ld %ld %ld %lf", &deal.ticket, symbol, &deal.type, &deal.entry, &deal.magic,
                        &deal.time_ms, &deal.price) == 7)
  {
    deal.symbol = symbol;
    history.push_back(deal);
  }
  if (file)
    fclose(file);
}

void history_add(const Deal &deal)
{
  history.push_back(deal);
  FILE *file = fopen("history.txt", "a");
  fprintf(file, "%lu %s %ld %ld %ld %ld %.5f\n", deal.ticket, deal.symbol.c_str(), deal.type, deal.entry, deal.magic,
          deal.time_ms, deal.price);
  fclose(file);
}

// What a terminal calls around one deal: several transactions, of which one brings the deal.
void tell_about(const Deal &deal)
{
  MqlTradeRequest request;
  MqlTradeResult result;
  for (auto type : {TRADE_TRANSACTION_REQUEST, TRADE_TRANSACTION_ORDER_ADD, TRADE_TRANSACTION_DEAL_ADD,
                    TRADE_TRANSACTION_ORDER_DELETE, TRADE_TRANSACTION_HISTORY_ADD, TRADE_TRANSACTION_POSITION})
  {
    MqlTradeTransaction transaction;
    transaction.type = type;
    if (type == TRADE_TRANSACTION_DEAL_ADD)
    {
      transaction.deal = deal.ticket;
      transaction.symbol = string(deal.symbol);
      transaction.price = deal.price;
      transaction.deal_type = static_cast<ENUM_DEAL_TYPE>(deal.type);
    }
    OnTradeTransaction(transaction, request, result);
  }
}

// deal type=buy|sell|balance entry=in|out|inout|out_by symbol= price= magic= age_s= hints=1 ticket=
void deal_made(const simulator::Words &words)
{
  static const std::map<std::string, long> types = {{"buy", DEAL_TYPE_BUY}, {"sell", DEAL_TYPE_SELL}, {"balance", DEAL_TYPE_BALANCE}};
  static const std::map<std::string, long> entries = {
      {"in", DEAL_ENTRY_IN}, {"out", DEAL_ENTRY_OUT}, {"inout", DEAL_ENTRY_INOUT}, {"out_by", DEAL_ENTRY_OUT_BY}};
  Deal deal;
  deal.ticket = strtoul(words.get("ticket", std::to_string(5000 + history.size())).c_str(), nullptr, 10);
  deal.symbol = words.get("symbol", "EURUSD");
  deal.type = types.at(words.get("type", "buy"));
  deal.entry = entries.at(words.get("entry", "in"));
  deal.magic = atol(words.get("magic", "770001").c_str());
  deal.price = atof(words.get("price", "1.08500").c_str());
  long broker_ms = static_cast<long>(TimeTradeServer()) * 1000 + wall_us() / 1000 % 1000;
  deal.time_ms = broker_ms - atol(words.get("age_s", "0").c_str()) * 1000;
  quote_set({deal.symbol, deal.price - 0.00005, deal.price + 0.00005});
  history_add(deal);
  for (int hints = atoi(words.get("hints", "1").c_str()); hints > 0; hints--)
    tell_about(deal);
}
} // namespace

int SocketCreate(uint)
{
  if (sockets.size() >= 128)
  {
    last_error = 5271;
    return INVALID_HANDLE;
  }
  sockets[next_socket] = -1;
  return next_socket++;
}

bool SocketClose(const int socket)
{
  if (!sockets.count(socket))
    return false;
  if (sockets[socket] >= 0)
  {
    tls::forget(sockets[socket]);
    close(sockets[socket]);
  }
  sockets.erase(socket);
  return true;
}

bool SocketConnect(int socket, const string server, uint port, uint timeout_ms)
{
  if (!sockets.count(socket) || !host_is_allowed(server.utf8()))
  {
    last_error = sockets.count(socket) ? ERR_FUNCTION_NOT_ALLOWED : ERR_NETSOCKET_INVALIDHANDLE;
    return false;
  }
  sockets[socket] = connected_socket(server.utf8(), static_cast<int>(port), static_cast<int>(timeout_ms));
  if (sockets[socket] < 0)
    last_error = ERR_NETSOCKET_CANNOT_CONNECT;
  return sockets[socket] >= 0;
}

bool SocketIsConnected(const int socket)
{
  char byte;
  if (!is_connected(socket))
    return false;
  ssize_t got = recv(sockets[socket], &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return got > 0 || (got < 0 && errno == EAGAIN);
}

// An empty buffer is answered with 1: whether there is anything is left to the read. 0 is an error.
uint SocketIsReadable(const int socket)
{
  int there = 0;
  if (!is_connected(socket))
    return 0;
  ioctl(sockets[socket], FIONREAD, &there);
  if (there > 0)
    return static_cast<uint>(there);
  return SocketIsConnected(socket) ? 1 : static_cast<uint>(lost(0));
}

int SocketSend(int socket, const MqlArray<uchar> &buffer, uint count)
{
  if (!is_connected(socket))
    return -1;
  ssize_t sent = send(sockets[socket], buffer.items.data(), count, MSG_NOSIGNAL);
  return sent < 0 ? lost(-1) : static_cast<int>(sent);
}

// Waits for count bytes or the end of the time. -1 says both "nothing came" and "error": only the error number tells
// them apart. A time of 0 stands for 120 s.
int SocketRead(int socket, MqlArray<uchar> &buffer, uint count, uint timeout_ms)
{
  if (!is_connected(socket))
    return -1;
  long until_us = monotonic_us() + (timeout_ms == 0 ? 120000L : timeout_ms) * 1000L;
  std::vector<uchar> bytes(count);
  size_t got = 0;
  while (got < count && monotonic_us() < until_us)
  {
    pollfd waiting{sockets[socket], POLLIN, 0};
    if (poll(&waiting, 1, static_cast<int>((until_us - monotonic_us()) / 1000) + 1) != 1)
      break;
    ssize_t part = recv(sockets[socket], bytes.data() + got, count - got, 0);
    if (part <= 0)
    {
      if (got == 0)
        return lost(-1);
      break;
    }
    got += static_cast<size_t>(part);
  }
  if (got == 0)
    return -1;
  int before = ArraySize(buffer);
  ArrayResize(buffer, before + static_cast<int>(got));
  for (size_t i = 0; i < got; i++)
    buffer[before + static_cast<long>(i)] = bytes[i];
  return static_cast<int>(got);
}

bool SocketTlsHandshake(int socket, const string host)
{
  if (!is_connected(socket) || !tls::shake_hands(sockets[socket], host.utf8()))
  {
    last_error = ERR_NETSOCKET_HANDSHAKE_FAILED;
    return false;
  }
  return true;
}

int SocketTlsSend(int socket, const MqlArray<uchar> &buffer, uint count)
{
  if (!is_connected(socket))
    return -1;
  int sent = tls::send(sockets[socket], buffer.items.data(), static_cast<int>(count));
  return sent < 0 ? lost(-1) : sent;
}

// Returns what is there, at once; 0 when there is nothing.
int SocketTlsReadAvailable(int socket, MqlArray<uchar> &buffer, const uint count)
{
  std::vector<uchar> bytes(count);
  if (!is_connected(socket))
    return -1;
  int got = tls::read_available(sockets[socket], bytes.data(), static_cast<int>(count));
  if (got < 0)
    return lost(-1);
  int before = ArraySize(buffer);
  ArrayResize(buffer, before + got);
  for (int i = 0; i < got; i++)
    buffer[before + i] = bytes[static_cast<size_t>(i)];
  return got;
}

int GetLastError() { return last_error; }
datetime TimeTradeServer() { return TimeCurrent(); }

bool StringToLower(string &text)
{
  for (char16_t &letter : text.text)
    if (letter >= 'A' && letter <= 'Z')
      letter = static_cast<char16_t>(letter + 32);
  return true;
}

bool HistorySelect(datetime from, datetime to)
{
  selected.clear();
  for (const Deal &deal : history)
    if (deal.time_ms / 1000 >= static_cast<long>(from) && deal.time_ms / 1000 <= static_cast<long>(to))
      selected.push_back(deal);
  return true;
}

// Empties the selection and puts this one deal into it.
bool HistoryDealSelect(ulong ticket)
{
  selected.clear();
  for (const Deal &deal : history)
    if (deal.ticket == ticket)
      selected.push_back(deal);
  return !selected.empty();
}

int HistoryDealsTotal() { return static_cast<int>(selected.size()); }

ulong HistoryDealGetTicket(int index)
{
  return index >= 0 && index < HistoryDealsTotal() ? selected[static_cast<size_t>(index)].ticket : 0;
}

long HistoryDealGetInteger(ulong ticket, ENUM_DEAL_PROPERTY_INTEGER property)
{
  const Deal *deal = selected_deal(ticket);
  if (!deal)
    return 0;
  switch (property)
  {
  case DEAL_TICKET:
    return static_cast<long>(deal->ticket);
  case DEAL_TIME:
    return deal->time_ms / 1000;
  case DEAL_TIME_MSC:
    return deal->time_ms;
  case DEAL_TYPE:
    return deal->type;
  case DEAL_ENTRY:
    return deal->entry;
  case DEAL_MAGIC:
    return deal->magic;
  default:
    return 0;
  }
}

double HistoryDealGetDouble(ulong ticket, ENUM_DEAL_PROPERTY_DOUBLE property)
{
  const Deal *deal = selected_deal(ticket);
  return deal && property == DEAL_PRICE ? deal->price : 0;
}

string HistoryDealGetString(ulong ticket, ENUM_DEAL_PROPERTY_STRING property)
{
  const Deal *deal = selected_deal(ticket);
  return deal && property == DEAL_SYMBOL ? string(deal->symbol) : string("");
}

namespace simulator
{
void begin() { history_load(); }

bool obey(const std::string &command, const Words &words)
{
  if (command == "deal")
    deal_made(words);
  else if (command == "call" && OnChartEvent)
    OnChartEvent(CHARTEVENT_CUSTOM + 7700, atol(words.get("expiry_s", "0").c_str()), 0.0, string(words.get("text", "")));
  else
    return false;
  return true;
}
} // namespace simulator
