"""The page reports/index.html: one module a section, its template of the same name beside it.

    idiolect report

Reads whatever exists; decides no byte of a result. Its media are in reports/page/.
"""
