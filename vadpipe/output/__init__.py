"""What a curve becomes: tables, documents, subtitles, pictures, reports and videos, one kind a file."""
