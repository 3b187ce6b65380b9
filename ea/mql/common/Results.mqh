//+------------------------------------------------------------------+
//| Results.mqh - what became of the last signals, for the chart       |
//| MetaTrader 5 and 4; ASCII source.                                  |
//+------------------------------------------------------------------+
#ifndef FAIRSTRIKE_RESULTS
#define FAIRSTRIKE_RESULTS

#define RESULTS_KEPT 32
#define RESULTS_SHOWN 5

struct Result
  {
   string            event_id;
   string            label;
   string            state;
   bool              decided;      // nothing more is expected
  };

Result g_results[];
long   g_acked = 0;
long   g_duplicates = 0;
long   g_rejected = 0;
long   g_aged = 0;                 // left out because they were too old before they were sent
long   g_late = 0;                 // deals that were found too late to become signals
long   g_ack_us = 0;               // last time from sending to acknowledgement, us

// Keep what a signal came to; the oldest makes room.
void ResultSet(const string event_id, const string label, const string state, const bool decided)
  {
   int count = ArraySize(g_results);
   for(int i = 0; i < count; i++)
      if(g_results[i].event_id == event_id)
        {
         g_results[i].state = state;
         g_results[i].decided = decided;
         return;
        }
   if(count == RESULTS_KEPT)
     {
      for(int k = 1; k < count; k++)
         g_results[k - 1] = g_results[k];
      count--;
     }
   ArrayResize(g_results, count + 1);
   g_results[count].event_id = event_id;
   g_results[count].label = label;
   g_results[count].state = state;
   g_results[count].decided = decided;
  }

// How many of the last signals still wait for their result.
int ResultsOpen()
  {
   int open = 0;
   for(int i = 0; i < ArraySize(g_results); i++)
      if(!g_results[i].decided)
         open++;
   return open;
  }

string ResultsText()
  {
   string text = "";
   int count = ArraySize(g_results);
   for(int i = count - 1; i >= 0 && i >= count - RESULTS_SHOWN; i--)
      text += "\n  " + g_results[i].label + ": " + g_results[i].state;
   return text;
  }

#endif
