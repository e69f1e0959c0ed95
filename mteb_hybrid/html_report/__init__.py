"""The report: results as one page to be looked at, which needs no network, and its figures as files for papers."""
