"""The champion: a git commit with its models, which only a better retraining replaces.

    idiolect promote                 # apply the rules: promote the workspace, or keep the champion
    idiolect champion                # the champion, its metrics, and those before it
    idiolect compare champion HEAD   # params, metrics and pictures side by side
    idiolect rollback                # return to the champion before, models and all

Champions are the annotated tags champion/1, champion/2 …; the highest number is the champion,
recorded nowhere else. Going back adds a number, so that no champion is lost. Rules:
promotion.yaml; decisions: reports/promotion. From Python:

    decision = champions.decide_workspace()
    champions.record(decision)
"""
