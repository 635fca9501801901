"""Face ID pages: rights of a reader, reading of warehouses and reports, routes and rendering."""
