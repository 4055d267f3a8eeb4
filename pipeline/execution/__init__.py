"""Run the stages that are stale: graph, scheduler, stage process, console, locks."""
