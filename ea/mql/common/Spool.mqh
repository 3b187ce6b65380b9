//+------------------------------------------------------------------+
//| Spool.mqh - what must outlive a crash: a journal on disk           |
//|                                                                    |
//| One line a fact, "<8 letters of SHA-256> <fact>\n":                |
//|   N <seq>                    last sequence number used             |
//|   S <seq> <deal s> <frame>   a signal, before it is first sent     |
//|   D <seq>                    that signal needs no more sending     |
//|   H <ticket> <deal s>        a ticket that was turned into a signal|
//|   C <deal s>                 deals before this need no more looking|
//|   A <number>                 last result that was received         |
//| A line with a wrong sum, or without its end, was torn and is not   |
//| read: it was never sent, for sending comes after the flush.        |
//| MetaTrader 5 and 4; ASCII source.                                  |
//+------------------------------------------------------------------+
#ifndef FAIRSTRIKE_SPOOL
#define FAIRSTRIKE_SPOOL

#include "Json.mqh"
#include "Sign.mqh"
#include "Clock.mqh"

#define SPOOL_CAP          1000
#define SPOOL_COMPACT_SIZE 262144

struct Pending
  {
   long              seq;
   long              deal_s;       // broker time of its deal, s; 0 for a call
   string            event_id;
   string            frame;        // the very bytes that are sent, each time
   string            label;        // for the chart
   long              created_ms;   // monotonic; -1 for one that was read back
   long              valid_ms;
   long              sent_us;      // monotonic, on this link; 0 = not on this link yet
   int               tries;        // over all links
  };

Pending g_pending[];
string  g_handled_ticket[];
long    g_handled_deal_s[];
long    g_seq = 0;                 // last sequence number used
long    g_deals_from_s = 0;        // broker time from which deals are looked at, s
long    g_results_after = 0;       // number of the last result received
string  g_spool_name = "";
string  g_spool_variable = "";     // terminal's global variable with the last sequence number
int     g_spool_file = INVALID_HANDLE;
bool    g_spool_torn = false;      // the last write stopped half-way
long    g_spool_refused = 0;       // signals refused because the spool was full or the disk was

int PendingCount()
  {
   return ArraySize(g_pending);
  }

// Place of a pending signal by its event id, or -1.
int PendingFind(const string event_id)
  {
   for(int i = 0; i < ArraySize(g_pending); i++)
      if(g_pending[i].event_id == event_id)
         return i;
   return -1;
  }

// Whether a deal or order has become a signal before.
bool HandledHas(const string ticket)
  {
   for(int i = ArraySize(g_handled_ticket) - 1; i >= 0; i--)
      if(g_handled_ticket[i] == ticket)
         return true;
   return false;
  }

void HandledRemember(const string ticket, const long deal_s)
  {
   int count = ArraySize(g_handled_ticket);
   ArrayResize(g_handled_ticket, count + 1, 256);
   ArrayResize(g_handled_deal_s, count + 1, 256);
   g_handled_ticket[count] = ticket;
   g_handled_deal_s[count] = deal_s;
  }

// Write one line of the journal and flush it. False where the disk did not take all of it.
bool SpoolWrite(const int file, const string fact)
  {
   uchar bytes[];
   string line = TextPart(Sha256Hex(fact), 0, 8) + " " + fact + "\n";
   if(g_spool_torn)
      line = "#\n" + line;          // makes what was torn no line at all
   int count = Utf8Bytes(line, bytes);
   FileSeek(file, 0, SEEK_END);
   bool whole = (int)FileWriteArray(file, bytes, 0, count) == count;
   FileFlush(file);
   g_spool_torn = !whole;
   return whole;
  }

bool SpoolNote(const string fact)
  {
   return SpoolWrite(g_spool_file, fact);
  }

// Note that a ticket needs no signal, or has one.
void HandledAdd(const string ticket, const long deal_s)
  {
   HandledRemember(ticket, deal_s);
   SpoolNote("H " + ticket + " " + IntegerToString(deal_s));
  }

// Forget the tickets of deals before a moment: they are not looked at again.
void HandledForget(const long before_s)
  {
   int kept = 0;
   for(int i = 0; i < ArraySize(g_handled_ticket); i++)
     {
      if(g_handled_deal_s[i] < before_s)
         continue;
      g_handled_ticket[kept] = g_handled_ticket[i];
      g_handled_deal_s[kept] = g_handled_deal_s[i];
      kept++;
     }
   ArrayResize(g_handled_ticket, kept);
   ArrayResize(g_handled_deal_s, kept);
  }

// Move the moment from which deals are looked at.
void DealsFrom(const long deal_s)
  {
   if(deal_s <= g_deals_from_s)
      return;
   g_deals_from_s = deal_s;
   SpoolNote("C " + IntegerToString(deal_s));
   HandledForget(deal_s);
  }

// The server has seen this number: never use it, or one below it, again.
void SeqAtLeast(const long seq)
  {
   if(seq <= g_seq)
      return;
   g_seq = seq;
   GlobalVariableSet(g_spool_variable, (double)seq);
   SpoolNote("N " + IntegerToString(seq));
  }

// Results up to this number need not be told again.
void ResultsAfter(const long number)
  {
   if(number <= g_results_after)
      return;
   g_results_after = number;
   SpoolNote("A " + IntegerToString(number));
  }

void PendingAppend(const long seq, const long deal_s, const string frame)
  {
   int count = ArraySize(g_pending);
   ArrayResize(g_pending, count + 1, 64);
   g_pending[count].seq = seq;
   g_pending[count].deal_s = deal_s;
   g_pending[count].event_id = JsonGet(frame, "event_id");
   g_pending[count].frame = frame;
   g_pending[count].label = JsonGet(frame, "symbol") + " " + JsonGet(frame, "direction");
   g_pending[count].created_ms = -1;
   g_pending[count].valid_ms = JsonLong(frame, "valid_ms", 0);
   g_pending[count].sent_us = 0;
   g_pending[count].tries = 0;
  }

void PendingRemove(const int place)
  {
   int last = ArraySize(g_pending) - 1;
   for(int i = place; i < last; i++)
      g_pending[i] = g_pending[i + 1];
   ArrayResize(g_pending, last);
  }

// Store a signal; only then may it be sent. False where the spool or the disk is full: then nothing was stored.
bool SpoolStore(const long seq, const long deal_s, const string frame)
  {
   if(ArraySize(g_pending) >= SPOOL_CAP)
      return false;
   if(!SpoolNote("S " + IntegerToString(seq) + " " + IntegerToString(deal_s) + " " + frame))
      return false;
   g_seq = seq;
   GlobalVariableSet(g_spool_variable, (double)seq);
   PendingAppend(seq, deal_s, frame);
   g_pending[ArraySize(g_pending) - 1].created_ms = MonotonicMs();
   string ticket = JsonGet(frame, "src_ticket");
   if(ticket != "")
      HandledRemember(ticket, deal_s);
   return true;
  }

// Forget a pending signal for good.
void SpoolDrop(const int place)
  {
   SpoolNote("D " + IntegerToString(g_pending[place].seq));
   PendingRemove(place);
  }

void SpoolApplySignal(const string rest)
  {
   int space = StringFind(rest, " ");
   int next = StringFind(rest, " ", space + 1);
   if(space < 0 || next < 0)
      return;
   long seq = StringToInteger(TextPart(rest, 0, space));
   long deal_s = StringToInteger(TextPart(rest, space + 1, next - space - 1));
   string frame = StringSubstr(rest, next + 1);
   string ticket = JsonGet(frame, "src_ticket");
   PendingAppend(seq, deal_s, frame);
   g_seq = MathMax(g_seq, seq);
   if(ticket != "" && !HandledHas(ticket))
      HandledRemember(ticket, deal_s);
  }

// Take one good line of the journal into memory.
void SpoolApply(const string fact)
  {
   ushort kind = StringGetCharacter(fact, 0);
   string rest = StringSubstr(fact, 2);
   long number = StringToInteger(rest);
   if(kind == 'S')
      SpoolApplySignal(rest);
   if(kind == 'N')
      g_seq = MathMax(g_seq, number);
   if(kind == 'C')
     {
      g_deals_from_s = MathMax(g_deals_from_s, number);
      HandledForget(g_deals_from_s);
     }
   if(kind == 'A')
      g_results_after = MathMax(g_results_after, number);
   if(kind == 'H')
     {
      int space = StringFind(rest, " ");
      string ticket = TextPart(rest, 0, space);
      if(space > 0 && !HandledHas(ticket))
         HandledRemember(ticket, StringToInteger(StringSubstr(rest, space + 1)));
     }
   if(kind == 'D')
      for(int i = 0; i < ArraySize(g_pending); i++)
         if(g_pending[i].seq == number)
           {
            PendingRemove(i);
            break;
           }
  }

// Read the journal. Returns the number of lines that were torn.
int SpoolRead(const int file)
  {
   uchar bytes[];
   int size = (int)FileSize(file), begin = 0, torn = 0;
   FileSeek(file, 0, SEEK_SET);
   if(size > 0)
      size = (int)FileReadArray(file, bytes, 0, size);
   for(int i = 0; i < size; i++)
     {
      if(bytes[i] != '\n')
         continue;
      string line = i > begin ? CharArrayToString(bytes, begin, i - begin, CP_UTF8) : "";
      begin = i + 1;
      string fact = StringSubstr(line, 9);
      if(StringLen(line) > 10 && TextPart(Sha256Hex(fact), 0, 8) == TextPart(line, 0, 8))
         SpoolApply(fact);
      else
         torn++;
     }
   if(begin < size)
      torn++;
   return torn;
  }

// Write all that still counts into a new file.
bool SpoolWriteAll(const int file)
  {
   bool whole = SpoolWrite(file, "N " + IntegerToString(g_seq));
   whole = whole && SpoolWrite(file, "C " + IntegerToString(g_deals_from_s));
   whole = whole && SpoolWrite(file, "A " + IntegerToString(g_results_after));
   for(int i = 0; whole && i < ArraySize(g_handled_ticket); i++)
      whole = SpoolWrite(file, "H " + g_handled_ticket[i] + " " + IntegerToString(g_handled_deal_s[i]));
   for(int k = 0; whole && k < ArraySize(g_pending); k++)
     {
      string head = "S " + IntegerToString(g_pending[k].seq) + " " + IntegerToString(g_pending[k].deal_s);
      whole = SpoolWrite(file, head + " " + g_pending[k].frame);
     }
   return whole;
  }

// Put a shorter journal in the place of the old one. Where that fails, the old one goes on.
void SpoolCompact()
  {
   string fresh = g_spool_name + ".new";
   FileDelete(fresh);
   g_spool_torn = false;
   int file = FileOpen(fresh, FILE_READ | FILE_WRITE | FILE_BIN);
   if(file == INVALID_HANDLE)
      return;
   bool whole = SpoolWriteAll(file);
   FileClose(file);
   g_spool_torn = true;             // whatever the old file ends in
   if(!whole)
     {
      FileDelete(fresh);
      return;
     }
   FileClose(g_spool_file);
   if(FileMove(fresh, 0, g_spool_name, FILE_REWRITE))
      g_spool_torn = false;
   g_spool_file = FileOpen(g_spool_name, FILE_READ | FILE_WRITE | FILE_BIN);
  }

// Compact now and then, so that the journal stays short.
void SpoolTidy()
  {
   if(g_spool_file != INVALID_HANDLE && (long)FileSize(g_spool_file) > SPOOL_COMPACT_SIZE)
      SpoolCompact();
  }

// Open the journal of one install and read it. False where another chart holds it, or the disk refuses.
bool SpoolOpen(const string name, const string sid)
  {
   g_spool_name = name;
   g_spool_variable = "FS_" + TextPart(sid, 0, 16) + "_seq";
   // A crash between the two steps of compacting leaves only the new file.
   if(!FileIsExist(name) && FileIsExist(name + ".new"))
      FileMove(name + ".new", 0, name, FILE_REWRITE);
   // Without FILE_SHARE_*: the open file is the lock against a second chart with the same name.
   g_spool_file = FileOpen(name, FILE_READ | FILE_WRITE | FILE_BIN);
   if(g_spool_file == INVALID_HANDLE)
      return false;
   int torn = SpoolRead(g_spool_file);
   if(GlobalVariableCheck(g_spool_variable))
      g_seq = MathMax(g_seq, (long)GlobalVariableGet(g_spool_variable));
   if(torn > 0)
      PrintFormat("spool: %d torn lines left out", torn);
   if(PendingCount() > 0)
      PrintFormat("spool: %d signals wait since the last run", PendingCount());
   SpoolCompact();
   return g_spool_file != INVALID_HANDLE;
  }

void SpoolClose()
  {
   if(g_spool_file != INVALID_HANDLE)
      FileClose(g_spool_file);
   g_spool_file = INVALID_HANDLE;
   GlobalVariablesFlush();
  }

#endif
