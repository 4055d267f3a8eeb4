"""What a project shows of itself: the page of formats."""
