"""A first plan for two apps: their routes, values for parameters, loads that fit into minutes."""
