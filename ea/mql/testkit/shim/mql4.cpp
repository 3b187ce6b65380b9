// Orders of MetaTrader 4: a pool of open ones and a pool of closed ones, both kept between runs.
#include "mql4.hpp"

#include "simulator.hpp"

using namespace terminal;

namespace
{
struct Order
{
  int ticket = 0, type = OP_BUY, magic = 0, closed = 0;
  long opened_s = 0;
  double price = 0;
  std::string symbol, comment;
};

std::vector<Order> orders; // of both pools, in the order of their making
Order selected;
bool is_selected = false;

std::vector<Order *> pool_of(int pool)
{
  std::vector<Order *> found;
  for (Order &order : orders)
    if (order.closed == (pool == MODE_HISTORY ? 1 : 0))
      found.push_back(&order);
  return found;
}

void store()
{
  FILE *file = fopen("orders.txt", "w");
  for (const Order &order : orders)
    fprintf(file, "%d %d %d %d %ld %.5f %s\t%s\n", order.ticket, order.type, order.magic, order.closed, order.opened_s,
            order.price, order.symbol.c_str(), order.comment.c_str());
  fclose(file);
}

void load()
{
  FILE *file = fopen("orders.txt", "r");
  char symbol[64], line[512];
  while (file && fgets(line, sizeof line, file))
  {
    Order order;
    int used = 0;
    sscanf(line, "%d %d %d %d %ld %lf %63s%n", &order.ticket, &order.type, &order.magic, &order.closed, &order.opened_s,
           &order.price, symbol, &used);
    order.symbol = symbol;
    order.comment = std::string(line + used + 1);
    order.comment.pop_back();
    orders.push_back(order);
  }
  if (file)
    fclose(file);
}

Order *order_of(const simulator::Words &words)
{
  int ticket = atoi(words.get("ticket", "0").c_str());
  for (Order &order : orders)
    if (order.ticket == ticket)
      return &order;
  critical("no such order", ticket);
}

int next_ticket() { return 7000 + static_cast<int>(orders.size()); }

// order type=buy|sell|buylimit symbol= price= magic= age_s= closed=0|1
void made(const simulator::Words &words)
{
  static const std::map<std::string, int> types = {{"buy", OP_BUY}, {"sell", OP_SELL}, {"buylimit", OP_BUYLIMIT}};
  Order order;
  order.ticket = next_ticket();
  order.type = types.at(words.get("type", "buy"));
  order.symbol = words.get("symbol", "EURUSD");
  order.magic = atoi(words.get("magic", "0").c_str());
  order.price = atof(words.get("price", "1.08500").c_str());
  order.opened_s = static_cast<long>(TimeCurrent()) - atol(words.get("age_s", "0").c_str());
  order.closed = atoi(words.get("closed", "0").c_str());
  quote_set({order.symbol, order.price - 0.00005, order.price + 0.00005});
  orders.push_back(order);
}

// close ticket= part=0|1: what is left of an order closed in part lives on under a new ticket
void close_order(const simulator::Words &words)
{
  Order rest = *order_of(words);
  order_of(words)->closed = 1;
  if (words.get("part", "0") == "0")
    return;
  rest.comment = "from #" + std::to_string(rest.ticket);
  rest.ticket = next_ticket();
  orders.push_back(rest);
}

// fill ticket=: a pending order becomes a position under the same ticket
void fill(const simulator::Words &words)
{
  order_of(words)->type = OP_BUY;
  order_of(words)->opened_s = static_cast<long>(TimeCurrent());
}

const Order &current()
{
  if (!is_selected)
    critical("an order function without OrderSelect");
  return selected;
}
} // namespace

int OrdersTotal() { return static_cast<int>(pool_of(MODE_TRADES).size()); }
int OrdersHistoryTotal() { return static_cast<int>(pool_of(MODE_HISTORY).size()); }

bool OrderSelect(int index, int select, int pool)
{
  std::vector<Order *> found = pool_of(pool);
  is_selected = false;
  for (size_t i = 0; i < found.size(); i++)
    if (select == SELECT_BY_POS ? static_cast<int>(i) == index : found[i]->ticket == index)
    {
      selected = *found[i];
      is_selected = true;
    }
  return is_selected;
}

int OrderTicket() { return current().ticket; }
int OrderType() { return current().type; }
int OrderMagicNumber() { return current().magic; }
string OrderSymbol() { return string(current().symbol); }
string OrderComment() { return string(current().comment); }
datetime OrderOpenTime() { return static_cast<datetime>(current().opened_s); }
double OrderOpenPrice() { return current().price; }

// In MetaTrader 4 asking for the error forgets it.
int GetLastError()
{
  int error = last_error;
  last_error = 0;
  return error;
}

namespace simulator
{
void begin()
{
  setenv("TERMINAL_NOT_ALLOWED", "4060", 0);
  load();
}

bool obey(const std::string &command, const Words &words)
{
  if (command == "order")
    made(words);
  else if (command == "close")
    close_order(words);
  else if (command == "fill")
    fill(words);
  else if (command == "call")
    OnChartEvent(CHARTEVENT_CUSTOM + 7700, atol(words.get("expiry_s", "0").c_str()), 0.0, string(words.get("text", "")));
  else
    return false;
  store();
  return true;
}
} // namespace simulator
