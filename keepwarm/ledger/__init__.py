"""What happened to each request and why: records, the verdict, and where they are kept."""
