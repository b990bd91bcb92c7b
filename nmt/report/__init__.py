"""What a run has become, as pages to look at: `nmt report`, and the heat maps of `nmt translate --alignments html`.

For visitors: `gather.gather` collects what there is to say of a run, `page.write_page` makes one HTML file of it.
"""
