import time, pytest
from django.db import connection
pytestmark = pytest.mark.django_db
def test_insert():
    from ledger.domain import house_account_id, AccountKind
    g=house_account_id('demo','USD',AccountKind.GRANT); h=house_account_id('demo','USD',AccountKind.HOUSE,1)
    with connection.cursor() as c:
        c.execute("SET CONSTRAINTS ALL DEFERRED")
        def ins():
            a=time.perf_counter()
            for _ in range(20):
                c.execute("""INSERT INTO ledger_transfer (id,entry_id,family,kind,reference,debit_account_id,credit_account_id,amount,book,currency,at_ms)
                  SELECT gen_random_uuid(),gen_random_uuid(),'order.stake','x',gen_random_uuid(),%s,%s,1,'demo','USD',1700000000000+n FROM generate_series(1,5000) n""",[g,h])
            return time.perf_counter()-a
        ins()
        for i in range(5):
            w=ins()
            c.execute("SET CONSTRAINTS ALL IMMEDIATE"); c.execute("SET CONSTRAINTS ALL DEFERRED")
            c.execute("DROP INDEX ledger_transfer_at"); wo=ins()
            c.execute("SET CONSTRAINTS ALL IMMEDIATE"); c.execute("SET CONSTRAINTS ALL DEFERRED")
            c.execute("CREATE INDEX ledger_transfer_at ON ledger_transfer USING brin(at_ms) WITH (pages_per_range=32, autosummarize=on)")
            print(f"100k rows with {w:.2f}s without {wo:.2f}s")
