"""`keepwarm report`: a period in figures, causes, advice and a comparison; as Markdown, as one HTML file, in short."""
