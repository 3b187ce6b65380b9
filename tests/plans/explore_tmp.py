import pytest, time
from tests.plans.filled import *
from tests.plans.plans import plan_of
from trading import statements as ts, selectors as tsel
from settlement import statements as ss
from quotes import statements as qs, selectors as qsel
from realtime import selectors as rsel, statements as rs
from ledger import selectors as lsel, statements as ls
from kernel import db
pytestmark=pytest.mark.django_db
def test_x(filled):
    for t in ("trading_order","trading_order_open","ledger_transfer","realtime_event","quotes_tick","ledger_account","quotes_candle","quotes_symbol_head"):
        print(t, db.row(f"SELECT count(*) FROM {t}"))
    m, tr = filled.markets[0], filled.traders[0]
    with recorded() as r:
        tr.place(filled.markets[0], ledger="real", duration_s=3600)
        tr.place(filled.markets[0], ledger="real", duration_s=1)
        m.admitted("1.08514", at_ms=m.now_ms+1500)
        from settlement.services import orders_settle, watermarks_raise_overdue
        assert orders_settle(limit=250)
        watermarks_raise_overdue()
        qsel.ticks_between(symbol_id=m.id, from_ms=filled.now_ms-2*86400000-1000, to_ms=filled.now_ms-2*86400000, limit=500)
        qsel.candles_between(symbol_id=m.id, interval_s=60, from_ms=60000, to_ms=600000)
        rsel.events_after(user_id=tr.user.pk, after=5, ledgers=None, limit=500)
        lsel.statement(account_id=tr.wallets["real"], before_no=None, limit=51)
        tsel.orders_of(user_id=tr.user.pk, wanted=tsel.OrderFilter(), cursor=None, limit=51)
    seen=set()
    for sql,p in r.seen:
        if sql in seen or not sql.strip().upper().startswith(("SELECT","WITH","UPDATE","INSERT","DELETE")): continue
        seen.add(sql)
        if not hasattr(p,"keys"):
            names=[f"p{i}" for i in range(len(p or ()))]
            for n in names: sql=sql.replace("%s",f"%({n})s",1)
            p=dict(zip(names,p or ()))
        for g in (False,True):
          try:
            q=plan_of(sql,p,generic=g)
            print(sql.strip()[:110].replace("\n"," "), "|", g, sorted(q.indexes), "SEQ", sorted(q.read_whole), q.partitions("quotes_tick"), q.partitions("realtime_event"))
          except Exception as e:
            print("ERR", g, sql[:200], e); raise
