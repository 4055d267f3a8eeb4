"""Evaluation: how near renders come to held-out truth, beside the trivial answers.

    python -m stages evaluate

Reads renders, clips, landmarks, parsing, references, match, ISPs and the generator; writes
reports/metrics.json and the tables and pictures of reports/evaluation. No metric reads the region
weights. Method: section 8 of method.md; definitions: docs/method.md, "Evaluation".
"""
