"""Which definitions of a project's other files a completion should see, and as what text. Asks an
index; knows no database and no model."""
