"""Wrong answers, a module a notebook: exercise → [(mistake, answer, its hint)]."""
