"""The champion: a git commit with its models, which only a better retraining replaces.

    idiolect promote                 # judge what lies here: promote it, or keep the champion
    idiolect champion                # who, since when, with which metrics
    idiolect compare champion HEAD   # params, metrics and pictures side by side
    idiolect rollback                # the champion before, models and all

Champions are the annotated tags champion/1, champion/2 …; the highest number is the champion, and
nothing else says so. Going back adds a number, so that nothing is ever taken away. Rules:
promotion.yaml; decisions: reports/promotion. From Python, without a command line:

    decision = champions.judge()             # of the workspace, against the champion
    champions.record(decision)               # = promote(decision) or keep(decision)
"""
