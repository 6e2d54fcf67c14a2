"""The leader's road: from what is due to the ready set, and the jobs it runs beside it."""
