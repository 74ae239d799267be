from tests.analysing import synthetic
from study.analysis.sections import baseline, sessions
from study.report.numbers import shown
def show(s):
    print("#",s.title)
    for t in s.text: print(t)
    for w in s.warnings: print("! ",w)
    for t in s.tables:
        print("--",t.name,t.title); print("|".join(c.title for c in t.columns))
        for r in t.rows[:12]: print("|".join(shown(c,k) for c,k in zip(r,t.columns)))
        print(t.note)
def test_x():
    d=synthetic(effects={"robot":-8,"worksheet":-6,"chatbot":-.5})
    show(baseline.section(d)); show(sessions.section(d))
    for k in (dict(n=0),dict(n=1),dict(n=2),dict(n=5),dict(arms=["robot","chatbot"]),dict(arms=["robot"]),dict(missing=1.0),dict(days=1),dict(days=2,n=9)):
        print(k); s=sessions.section(synthetic(**k)); print(s.text,s.warnings); s=baseline.section(synthetic(**k)); print(s.text[:1],s.warnings)
