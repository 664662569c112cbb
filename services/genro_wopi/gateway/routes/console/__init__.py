"""The console of operators: pages over the operations of the catalog, without JavaScript."""
