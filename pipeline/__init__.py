"""Run, schedule, compare and show the stages; decides no byte of a result."""
