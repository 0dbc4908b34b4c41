"""The page: what is written into it, and what a real browser makes of it."""

import base64
import hashlib
import html
import json
import re
import shutil
from html.parser import HTMLParser

import numpy as np
import pytest
from helpers.networks import STAR

from stf_mmaction.datasets import get_layout
from stf_mmaction.visualization.limbs import limbs
from stf_mmaction.visualization.page import NetworkView, PageClip, write_page

LAYOUT = get_layout(dict(STAR, names=['hip', 'spine', 'head', 'l_foot', 'r_foot']))
NAMES = ['wave', 'sit down', 'jump']
HOSTILE = '</script><script>document.title="owned"</script><!-- {{script}} "\'&\u2028 \U0001f57a'
BROWSER = next(filter(None, map(shutil.which, ('chromium', 'chromium-browser'))), None)


def view(persons, frames, joints, scores, classes, rng):
    return NetworkView(
        np.array(scores), classes, rng.random((len(classes), persons, frames, joints))
    )


def clip(name='clip_0', label=0, persons=1, frames=12, channels=3, networks=1, seed=0):
    """Taken for class 0; where the label is 2, the focus for it is there, too."""
    rng = np.random.default_rng(seed)
    classes = (0, 1, 2) if label == 2 else (0, 1)
    views = [view(persons, frames, 5, (0.7, 0.2, 0.1), classes, rng) for _ in range(networks)]
    return PageClip(name, label, rng.normal(size=(persons, frames, 5, channels)), views)


class Parts(HTMLParser):
    """Scripts, styles and meta elements of a page, as a browser reads them."""

    def __init__(self, text):
        super().__init__()
        self.inside = None
        self.found = {'script': [], 'style': [], 'title': [], 'meta': {}}
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.inside = tag
        if tag == 'meta' and 'http-equiv' in attrs:
            self.found['meta'][attrs['http-equiv']] = attrs['content']

    def handle_endtag(self, tag):
        self.inside = None

    def handle_data(self, data):
        if self.inside in ('script', 'style', 'title') and data.strip():
            self.found[self.inside].append(data)


def read(path):
    """What is in a page: its parts, and its data."""
    found = Parts(path.read_text(encoding='utf-8')).found
    return found, json.loads(found['script'][0])


def write(path, clips, **kwargs):
    write_page(path, clips, LAYOUT, **dict(dict(class_names=NAMES), **kwargs))
    return path


def decoded(record):
    """Coordinates (M, T, V, C), NaN where nothing was seen, and the focus of the first view."""
    whole = np.frombuffer(base64.b64decode(record['points']), '<i2').reshape(record['shape'])
    values = np.where(whole == -32768, np.nan, whole * record['step'] + record['middle'])
    maps = [np.frombuffer(base64.b64decode(m), np.uint8) for m in record['views'][0]['focus']]
    return values, [m.reshape(record['shape'][:3]) / 255 for m in maps]


def test_the_page_holds_the_clips(tmp_path):
    one = clip(persons=3, label=2)
    one.keypoint[1] = 0  # never seen
    one.keypoint[0, 4, 2] = 0
    _, data = read(write(tmp_path / 'new' / 'page.html', [one]))
    (record,) = data['clips']
    assert (record['id'], record['label'], record['shape']) == ('clip_0', 2, [2, 12, 5, 3])
    assert record['views'][0]['classes'] == [0, 1, 2]
    assert record['views'][0]['scores'] == [0.7, 0.2, 0.1]
    values, maps = decoded(record)
    kept = one.keypoint[[0, 2]]
    seen = kept.any(-1)
    assert not seen[0, 4, 2] and np.isnan(values[~seen]).all()
    np.testing.assert_allclose(values[seen], kept[seen], atol=np.ptp(kept) / 65534)
    for own, true in zip(maps, one.views[0].focus):
        np.testing.assert_allclose(own, true[[0, 2]], atol=0.5 / 255 + 1e-9)
    assert data['classes'] == NAMES and data['layout']['names'] == list(LAYOUT.names)
    assert sorted(data['layout']['order']) == list(range(5))


@pytest.mark.parametrize('frames', [1, 2])
def test_short_clips_and_nobody(tmp_path, frames):
    still = clip(frames=frames)
    still.keypoint[:] = still.keypoint[:, :1, :1]  # all joints at one place
    nobody = clip(frames=frames)
    nobody.keypoint[:] = 0
    _, data = read(write(tmp_path / 'page.html', [still, nobody]))
    values, _ = decoded(data['clips'][0])
    np.testing.assert_allclose(values, still.keypoint)
    values, _ = decoded(data['clips'][1])
    assert values.shape == nobody.keypoint.shape and np.isnan(values).all()


def test_the_rows_are_grouped_by_limb_and_the_body_is_upright(tmp_path):
    layout = get_layout('nturgb+d')
    rng = np.random.default_rng(0)
    points = 0.1 * rng.normal(size=(1, 3, 25, 3))
    points[:, :, 3, 2] += 2  # the head: z points up
    points[0, 1, 7] = np.nan  # not seen
    seen = NetworkView(np.array([0.7, 0.3]), (0,), rng.random((1, 1, 3, 25)))
    write_page(tmp_path / 'page.html', [PageClip('a', 0, points, [seen])], layout)
    _, data = read(tmp_path / 'page.html')
    order, starts = data['layout']['order'], data['layout']['starts']
    assert order == [joint for limb in limbs(layout) for joint in limb.joints]
    names = [layout.names[joint] for joint in order]
    first = names.index('l_shoulder')
    arm = names[first : first + 6]  # the tips of a hand are no limbs of their own
    assert arm[1:4] == ['l_elbow', 'l_wrist', 'l_hand'] and set(arm[4:]) == {
        'l_hand_tip',
        'l_thumb',
    }
    assert order[first] in starts and not set(order[first + 1 : first + 6]) & set(starts)
    values, _ = decoded(data['clips'][0])
    assert np.isnan(values[0, 1, 7]).all()
    np.testing.assert_allclose(values[0, 0, 3], points[0, 0, 3, [0, 2, 1]], atol=1e-3)


def test_text_stays_text(tmp_path):
    path = write(
        tmp_path / 'page.html',
        [clip(HOSTILE)],
        class_names=[HOSTILE, 'b', 'c'],
        networks=[HOSTILE],
        title=HOSTILE,
    )
    found, data = read(path)
    assert len(found['script']) == 2 and len(found['style']) == 1
    assert html.unescape(''.join(found['title'])) == HOSTILE
    assert data['clips'][0]['id'] == data['classes'][0] == data['networks'][0] == HOSTILE


def test_nothing_but_its_own_script_and_style_may_run(tmp_path):
    text = write(tmp_path / 'page.html', [clip()]).read_text(encoding='utf-8')
    policy = Parts(text).found['meta']['Content-Security-Policy']
    assert policy.startswith("default-src 'none'; img-src data:;")
    for kind, content in (
        ('style', re.search(r'<style>(.*?)</style>', text, re.S)),
        ('script', re.search(r'<script>(.*?)</script>', text, re.S)),
    ):
        digest = base64.b64encode(hashlib.sha256(content.group(1).encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    assert 'http' not in re.sub('http-equiv', '', text)  # no address at all


def test_same_input_same_bytes_and_five_megabytes_at_most(tmp_path):
    rng = np.random.default_rng(0)
    layout = get_layout('nturgb+d')
    scores, shape = np.full(120, 1 / 120), (2, 300, 25)
    views = [NetworkView(scores, (0, 1, 2), rng.random((3, *shape))) for _ in range(2)]
    clips = [PageClip(f'clip {i}', 2, rng.normal(size=(*shape, 3)), views) for i in range(20)]
    paths = [tmp_path / name for name in 'ab']
    for path in paths:
        write_page(path, clips, layout, ['a', 'b'], title='t')
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert paths[0].stat().st_size < 5e6


@pytest.mark.parametrize(
    'clips, kwargs, sentence',
    [
        ([], {}, 'no clip to show'),
        ([clip()._replace(keypoint=np.zeros((1, 12, 4, 3)))], {}, r'keypoints of shape .*5 joints'),
        ([clip(networks=2)], {}, 'views of 2 networks, but there are 1 names'),
        ([clip()], dict(class_names=['a', 'b']), '2 class names for a network of 3 classes'),
        (
            [clip()._replace(views=[view(1, 11, 5, (0.5, 0.3, 0.2), (0,), np.random)])],
            {},
            r'focus of shape \(1, 1, 11, 5\), but \(1, 1, 12, 5\)',
        ),
    ],
    ids=range(5),
)
def test_what_does_not_fit_is_named(tmp_path, clips, kwargs, sentence):
    with pytest.raises(ValueError, match=sentence):
        write(tmp_path / 'page.html', clips, **kwargs)
    assert not (tmp_path / 'page.html').exists()


@pytest.fixture(scope='module')
def browser():
    playwright = pytest.importorskip('playwright.sync_api')
    if BROWSER is None:
        pytest.skip('there is no chromium')
    flags = ['--no-sandbox', '--disable-gpu', '--disable-background-networking']
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=BROWSER, args=flags)
        yield chromium
        chromium.close()


@pytest.fixture(scope='module')
def pages(tmp_path_factory):
    """A page of two networks, and one of 2D clips with text that is code."""
    folder = tmp_path_factory.mktemp('pages')
    clips = [
        clip('first', frames=40, networks=2),
        clip('second', label=1, persons=2, networks=2, seed=1),
        clip('third', label=2, frames=1, networks=2, seed=2),
        clip('fourth', label=None, networks=2, seed=3),
    ]
    write(folder / 'two.html', clips, networks=['baseline', 'STF'], title='Two networks')
    hostile = clip(HOSTILE, channels=2)
    hostile.views[0].focus[:] = 0
    write(folder / 'flat.html', [hostile], class_names=[HOSTILE, 'b', 'c'], title=HOSTILE)
    return folder


class Visit:
    """A page in the browser; whatever goes wrong in it is an error."""

    def __init__(self, browser, path, **kwargs):
        self.context = browser.new_context(**kwargs)
        self.tab = self.context.new_page()
        self.faults, self.requests = [], []
        self.tab.on('console', lambda message: self.faults.append(message.text))
        self.tab.on('pageerror', lambda error: self.faults.append(str(error)))
        self.tab.on('request', lambda request: self.requests.append(request.url))
        self.url = path.as_uri()

    def __enter__(self):
        self.tab.goto(self.url)
        return self

    def __exit__(self, kind, *_):
        self.context.close()
        if kind is None:
            assert self.faults == []
            assert self.requests == [self.url]

    def frame(self):
        return int(self.tab.locator('#frame').input_value())

    def drawn(self, what='.stage'):
        """The pixels of a canvas; some must be painted."""
        canvas = self.tab.locator(what).first
        pixels, blank = canvas.evaluate("""canvas => {
            const blank = document.createElement('canvas');
            [blank.width, blank.height] = [canvas.width, canvas.height];
            return [canvas.toDataURL(), blank.toDataURL()];
        }""")
        assert pixels != blank
        return pixels

    def until(self, reached):
        """Wait for a frame. (The page's policy does not let Playwright poll inside it.)"""
        for _ in range(200):
            if reached(self.frame()):
                return
            self.tab.wait_for_timeout(25)
        raise AssertionError(f'still at frame {self.frame()}')

    def changes(self, act, what='.stage'):
        before = self.drawn(what)
        act()
        return before != self.drawn(what)


def test_it_plays_and_stops(browser, pages):
    with Visit(browser, pages / 'two.html') as visit:
        assert visit.tab.title() == 'Two networks' and visit.frame() == 0
        visit.tab.get_by_role('button', name='Play').click()
        visit.until(lambda frame: frame > 3)
        visit.tab.get_by_role('button', name='Pause').click()
        stopped = visit.frame()
        visit.tab.wait_for_timeout(120)
        assert visit.frame() == stopped
        visit.tab.locator('#frame').fill('0')
        visit.tab.get_by_label('Speed').select_option('4')
        visit.tab.locator('#clip').focus()
        visit.tab.keyboard.press('Space')
        visit.until(lambda frame: frame > 20)
        visit.until(lambda frame: frame < 10)  # from the start


def test_it_turns_and_zooms_by_mouse_and_keys(browser, pages):
    with Visit(browser, pages / 'two.html') as visit:
        tab, keys = visit.tab, visit.tab.keyboard
        box = tab.locator('.stage').first.bounding_box()
        middle = (box['x'] + box['width'] / 2, box['y'] + box['height'] / 2)

        def drag():
            tab.mouse.move(*middle)
            tab.mouse.down()
            tab.mouse.move(middle[0] + 60, middle[1] + 5, steps=3)
            tab.mouse.up()

        other = '.stage >> nth=1'
        assert visit.changes(drag, other)  # both turn
        tab.locator('.stage').first.focus()
        for act in (
            lambda: keys.press('ArrowLeft'),
            lambda: keys.press('d'),
            lambda: keys.press('w'),
            lambda: keys.press('+'),
            lambda: tab.mouse.wheel(0, -300),
            lambda: tab.get_by_role('button', name='Side').click(),
            lambda: tab.get_by_role('button', name='Zoom out').click(),
        ):
            assert visit.changes(act, other)
        keys.press('0')
        fresh = visit.drawn(other)
        assert visit.changes(lambda: keys.press('a'), other)
        keys.press('0')
        assert visit.drawn(other) == fresh
        assert visit.frame() == 0  # the keys of the skeleton do not move the time


def test_keys_move_the_time_and_choose(browser, pages):
    with Visit(browser, pages / 'two.html') as visit:
        tab, keys = visit.tab, visit.tab.keyboard
        for key, frame in (
            ('ArrowRight', 1),
            ('Shift+ArrowRight', 11),
            ('ArrowLeft', 10),
            ('End', 39),
            ('ArrowRight', 39),
            ('Home', 0),
        ):
            keys.press(key)
            assert visit.frame() == frame
        assert tab.locator('#time').inner_text() == 'frame 0 / 39'
        assert visit.changes(lambda: keys.press('c'), '.map')
        assert tab.locator('#rank').input_value() == 'second'
        keys.press('n')
        assert tab.locator('#meta').inner_text().startswith('second · 12 frames · 2 persons')
        keys.press('p')
        assert tab.locator('#meta').inner_text().startswith('first')
        keys.press('?')
        assert tab.get_by_role('dialog').is_visible()
        keys.press('Escape')
        keys.press('/')
        keys.type('n')  # into the search, not to the next clip
        assert tab.locator('#meta').inner_text().startswith('first')


def test_a_cell_of_the_heat_map_is_a_joint_and_a_frame(browser, pages):
    with Visit(browser, pages / 'two.html') as visit:
        tab = visit.tab
        canvas = tab.locator('.map').first
        box = canvas.bounding_box()
        canvas.click(position=dict(x=box['width'] * 0.7, y=60))
        assert visit.frame() > 10
        canvas.focus()
        frame = visit.frame()
        assert visit.changes(lambda: tab.keyboard.press('ArrowRight'))
        said = tab.locator('#live').inner_text()
        assert visit.frame() == frame + 1
        number, joint, focus = re.fullmatch(r'frame (\d+), (\w+), focus ([\d.]+)', said).groups()
        true = clip('first', frames=40, networks=2).views[0].focus[0, 0]
        value = true[int(number), LAYOUT.names.index(joint)]
        assert abs(float(focus) - value) < 0.01
        label = canvas.get_attribute('aria-label')
        assert f'{LAYOUT.names[true.mean(0).argmax()]}, ' in label
        assert f'most of all in frame {true.mean(1).argmax()}' in label


def test_search_and_wrong_answers(browser, pages):
    with Visit(browser, pages / 'two.html') as visit:
        tab = visit.tab

        def listed():
            return tab.locator('#list .id').all_inner_texts()

        assert listed() == ['first', 'second', 'third', 'fourth']
        tab.locator('#search').fill('SIT')  # the class of the second
        assert listed() == ['second']
        tab.locator('#search').fill('thi')
        assert listed() == ['third']
        tab.locator('#search').fill('nothing of this name')
        assert listed() == [] and tab.locator('#none').inner_text() == 'No clip matches.'
        assert tab.locator('#count').inner_text() == '0 of 4'
        tab.locator('#search').fill('')
        assert not tab.locator('#none').is_visible()
        tab.get_by_label('Wrong answers only').check()
        assert listed() == ['second', 'third']
        assert tab.locator('#count').inner_text() == '2 of 4'
        tab.locator('#list button').last.click()
        assert tab.locator('.verdict').first.inner_text() == '✗ wave 70 %'
        tab.get_by_label('Focus for').select_option('label')
        assert 'true class: jump' in tab.locator('#rank option:checked').inner_text()
        assert tab.locator('.scores').first.locator('li').count() == 3


def test_colours_and_themes(browser, pages):
    for scheme in ('dark', 'light'):
        with Visit(browser, pages / 'two.html', color_scheme=scheme) as visit:
            tab = visit.tab
            assert tab.locator('html').get_attribute('data-theme') == scheme
            for palette in ('Viridis', 'Cividis', 'Greys'):
                choose = tab.get_by_label('Colours').select_option
                assert visit.changes(lambda p=palette: choose(p), '.map')
            assert visit.changes(lambda: tab.locator('#theme').click(), '.map')
            for part in ('bones', 'joints'):
                paint = tab.locator('#paint').select_option
                assert visit.changes(lambda p=part: paint(p))


def test_text_stays_text_and_2d_clips_do_not_turn(browser, pages):
    with Visit(browser, pages / 'flat.html') as visit:
        tab = visit.tab
        assert tab.locator('title').evaluate('e => e.textContent') == HOSTILE
        assert tab.locator('#name').evaluate('e => e.textContent') == HOSTILE
        assert tab.locator('script').count() == 2
        assert not tab.get_by_role('button', name='Side').is_visible()
        assert not visit.changes(lambda: tab.keyboard.press('a'))
        assert visit.changes(lambda: tab.keyboard.press('+'))
        assert 'The focus is 0 everywhere' in tab.locator('.note').inner_text()


@pytest.mark.parametrize('name', ['two', 'flat'])
def test_a_phone_shows_all_of_it(browser, pages, name):
    phone = dict(viewport=dict(width=390, height=844), has_touch=True, is_mobile=True)
    with Visit(browser, pages / f'{name}.html', **phone) as visit:
        assert visit.tab.evaluate('document.documentElement.scrollWidth') == 390
        assert visit.tab.evaluate('innerWidth') == 390
        visit.tab.locator('#play').tap()
        visit.until(lambda frame: frame > 0)
        visit.tab.locator('.map').first.tap()
        assert visit.tab.locator('#play').inner_text() == 'Play'  # it stops to look
        visit.drawn('.map')


@pytest.mark.parametrize('scale', [0, 1e-30, 1e18])
def test_clips_of_any_size_and_names_that_are_no_text(tmp_path, scale):
    """Names of files may hold bytes that are no text; a page is UTF-8 all the same."""
    odd = clip('\udcff' + 'x' * 300)
    odd = odd._replace(keypoint=odd.keypoint * scale)
    write_page(tmp_path / 'a.html', [odd], LAYOUT, ['net\udcff'], NAMES, title='Where \udcff looks')
    text = (tmp_path / 'a.html').read_text(encoding='utf-8')
    assert 'Where \\udcff looks' in text and 'NaN' not in text.partition('<script')[0]
