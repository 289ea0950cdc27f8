"""Source text: files, spans, and line/column arithmetic."""
