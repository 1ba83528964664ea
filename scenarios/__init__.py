"""What must hold of a server, one folder for each chapter of behaviour."""
