"""Face ID pages: who may see what (rights), what is read (reading, reports), how it is shown (app, view)."""
