"""Reports: the numbers of a run or of some days, as JSON and as one self-contained HTML page."""
