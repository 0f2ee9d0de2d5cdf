"""`keepwarm top`: the program that reads, listens and takes keys; what it shows is made in `views/top`."""
