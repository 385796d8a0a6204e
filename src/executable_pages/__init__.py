"""Runs every snippet of a Markdown page and keeps its outputs, figures and numbers true."""
