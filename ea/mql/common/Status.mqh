//+------------------------------------------------------------------+
//| Status.mqh - the comment on the chart                              |
//| MetaTrader 5 and 4; ASCII source.                                  |
//+------------------------------------------------------------------+
#ifndef FAIRSTRIKE_STATUS
#define FAIRSTRIKE_STATUS

#include "Frames.mqh"

#define STATUS_EVERY_MS 500

string g_link_text = "not tried yet";   // written by the transport
long   g_status_next_ms = 0;

string StatusText()
  {
   string state = g_killed ? "stopped by the server" : (g_paused ? "paused by the server" : "running");
   int on_way = 0;
   for(int i = 0; i < PendingCount(); i++)
      if(g_pending[i].sent_us > 0)
         on_way++;
   string text = "Fairstrike " + InpName + ": " + state;
   text += "\nlink: " + g_link_text;
   int waiting = PendingCount() - on_way;
   text += StringFormat("\nspool: %d waiting, %d on their way, last number %I64d", waiting, on_way, g_seq);
   text += StringFormat("\nlatency: ack %.1f ms, link %.1f ms", (double)g_ack_us / 1000.0, (double)g_rtt_us / 1000.0);
   if(g_offset_known)
      text += StringFormat(", server clock %+I64d ms", g_offset_ms);
   text += StringFormat("\nacked %I64d (again %I64d), rejected %I64d, too old %I64d, refused %I64d, late %I64d",
                        g_acked, g_duplicates, g_rejected, g_aged, g_spool_refused, g_late);
   if(g_params_rev > 0)
      text += StringFormat("\nparameters: revision %I64d", g_params_rev);
   return text + "\nlast results:" + ResultsText();
  }

// Write the comment, at most twice a second.
void StatusShow()
  {
   long now_ms = MonotonicMs();
   if(now_ms < g_status_next_ms)
      return;
   g_status_next_ms = now_ms + STATUS_EVERY_MS;
   Comment(StatusText());
  }

#endif
