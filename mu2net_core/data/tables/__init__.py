"""Rows of tables: what their columns are, and how a row becomes numbers that a model takes.

``survey.py`` looks at the rows of a data set once, ``judging.py`` says what a column is and ``leaks.py`` whether it
gives the answer away; what comes of it is pinned in the task (``objects.Table``). ``reading.py`` reads rows by that.
"""
