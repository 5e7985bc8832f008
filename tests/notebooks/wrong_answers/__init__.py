"""Wrong answers, one module a notebook: exercise → [(mistake, answer, part of its hint)]."""
