"""What a reader does on the site, in a real browser."""


def test_home_leads_to_the_last_stage_by_next(open_page):
    page = open_page()
    for _ in range(8):
        page.get_by_role("link", name="Next:").click()
    assert page.locator("h1").inner_text().startswith("Improving by experiment")
