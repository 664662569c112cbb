"""`make mutate`: small changes of the code that promises rest on; a test must notice each."""
