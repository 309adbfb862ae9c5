"""JSON files of COCO's layouts."""

from coco_files import SETS, SMALL, written
from malformed.case import cases, ingesting

SOURCE = {
    "coco_videos": "annotations/train/bar.json",
    "coco_panoptic": "annotations/panoptic_val2017.json",
    "coco_instances": "annotations/instances_val2017.json",
}


def coco(layout, change=lambda document: None, text=None):
    """Return the maker of a data set whose document is changed, or whose text is another."""

    def make(folder, _):
        written(layout, folder, lambda document, root: change(document))
        source = folder / SOURCE[layout]
        if text is not None:
            source.write_bytes(text(source.read_bytes()))
        space = {"classes": SMALL.classes, "things": SMALL.things}
        return ingesting(folder, layout, SETS[layout][1], **space)

    return make


def instances(change=lambda document: None, text=None):
    return coco("coco_instances", change, text)


def annotated(place=0, **changes):
    return instances(lambda document: document["annotations"][place].update(changes))


def all_annotated(**changes):
    return instances(lambda document: [each.update(changes) for each in document["annotations"]])


def imaged(**changes):
    return instances(lambda document: document["images"][1].update(changes))


def runs(counts, size=(4, 6)):
    return annotated(segmentation={"size": list(size), "counts": counts})


def polygon(*numbers):
    return annotated(segmentation=[list(numbers)])


def polygons(*numbers):
    return all_annotated(segmentation=[list(numbers)])


def segment(place, **changes):
    def change(document):
        document["annotations"][0]["segments_info"][place].update(changes)

    return coco("coco_panoptic", change)


def deep(content):
    return b'{"images":' + b"[" * 100_000


NAN = float("nan")
IN, OF = r"instances_val2017\.json", r"annotation 7"
NO_MASK = rf"none of its 4 objects has a mask \(first: {OF}\); add a 'segmentation' of polygons"
CASES = cases("COCO", [
    ("truncated JSON", instances(text=lambda content: content[:-40]),
     rf"{IN}: not a readable JSON file \(.+\); restore it"),
    ("empty JSON", instances(text=lambda _: b""), rf"{IN}: not a readable JSON file .*; restore"),
    ("bytes that are no text", instances(text=lambda _: b'{"images": "\xff\xfe"}'),
     rf"{IN}: not a readable JSON file \(.*decode.*\); restore it"),
    ("JSON nested without end", instances(text=deep), rf"{IN}: not a readable JSON file .*restore"),
    ("a list in place of an object", instances(text=lambda _: b"[1, 2]"),
     rf"{IN}: has no list 'images', so it is no COCO file; restore"),
    ("images that are no list", instances(lambda d: d.update(images={"a": 1})),
     rf"{IN}: has no list 'images', so it is no COCO file; restore"),
    ("an image that is a number", instances(lambda d: d["images"].insert(0, 3)),
     rf"{IN}: entry 0 of 'images': 'height' is missing or not an integer; add it"),
    ("an annotation that is a text", instances(lambda d: d["annotations"].append("x")),
     rf"{IN}: entry 4 of 'annotations': 'image_id' is missing or not an integer or a text; add"),
    ("a height that is NaN", imaged(height=NAN),
     rf"{IN}: entry 1 of 'images': 'height' is missing or not"),
    ("a height that is text", imaged(height="4"),
     rf"{IN}: entry 1 of 'images': 'height' is missing or not"),
    ("a height below 1", imaged(height=-4), rf"x\.jpg: is 6x4, but image 1 of .*{IN} is 6x-4"),
    ("an enormous height", imaged(height=10**12), r"x\.jpg: is 6x4, but image 1 .* is 6x10{12};"),
    ("a file outside its folder", imaged(file_name="../../secret.jpg"),
     rf"{IN}: .*'\.\./\.\./secret\.jpg' leads outside its folder; give"),
    ("a file with an absolute name", imaged(file_name="/etc/secret.jpg"),
     rf"{IN}: .*'/etc/secret\.jpg' leads outside its folder; give"),
    ("a file outside its folder on Windows", imaged(file_name="..\\..\\secret.jpg"),
     rf"{IN}: .*secret\.jpg' leads outside its folder; give"),
    ("a file on a drive", imaged(file_name="C:\\secret.jpg"),
     rf"{IN}: .*secret\.jpg' leads outside its folder; give"),
    ("a file on the web", imaged(file_name="https://example.org/x.jpg"),
     rf"{IN}: .* 'https://example\.org/x\.jpg' is an address; give the name of its file in"),
    ("an image twice", instances(lambda d: d["images"].append(dict(d["images"][0]))),
     rf"{IN}: image 2 .* has this id too; give every image a unique id"),
    ("an annotation twice", instances(lambda d: d["annotations"].append(d["annotations"][0])),
     rf"{IN}: {OF} is listed twice; give every annotation a unique id"),
    ("annotations of no image", all_annotated(image_id=99),
     rf"{IN}: none of its 4 annotations belongs to an image of 'images', .* 99; add the images or"),
    ("an id that is true", annotated(id=True),
     rf"{IN}: entry 0 of 'annotations': 'id' is missing or not an integer or a text; add it"),
    ("an id that is a list", imaged(id=[1]),
     rf"{IN}: entry 1 of 'images': 'id' is missing or not an integer or a text; add it"),
    ("an unknown category", annotated(category_id=99),
     rf"{IN}: {OF} has category 99, which is not among the 3 of .*; add it to 'categories'"),
    ("a category that is a name", annotated(category_id="car"),
     rf"{IN}: {OF} has category 'car', which is not among the 3 of .*; add it to 'categories'"),
    ("a category that is a list", annotated(category_id=[3]),
     rf"{IN}: {OF}: 'category_id' is missing or not an integer or a text; add it"),
    ("a category that is no class", instances(lambda d: d["categories"][1].update(name="cart")),
     rf"{IN}: {OF} has category 3 'cart', which is no class of the data set; .*mean 'car'"),
    ("a category twice", instances(lambda d: d["categories"].append(d["categories"][0])),
     rf"{IN}: category 1 is listed twice; give every category a unique id"),
    ("categories that are no list", instances(lambda d: d.update(categories={"1": "car"})),
     rf"{IN}: 'categories' is missing or not a list"),
    ("a crowd that is text", annotated(iscrowd="0"),
     rf"{IN}: {OF}: 'iscrowd' is '0', but must be 0 or 1; correct it"),
    ("a thing that is text", instances(lambda d: d["categories"][1].update(isthing="0")),
     rf"{IN}: category 3: 'isthing' is '0', but must be 0 or 1; correct it"),
    ("no segmentation at all", all_annotated(segmentation=None), rf"{IN}: {NO_MASK}"),
    ("a segmentation that is a number", annotated(segmentation=7),
     rf"{IN}: {OF} has no 'segmentation' of polygons or run lengths; add it"),
    ("polygons of three numbers", polygons(1, 2, 3), rf"{IN}: {NO_MASK}"),
    ("a polygon of text", polygon("a", "b", "c", "d", "e", "f"),
     rf"{IN}: {OF} has a polygon of 6 values that are not all numbers; correct or remove it"),
    ("polygons with NaN", polygons(0, 0, 6, NAN, 6, 4), rf"{IN}: {NO_MASK}"),
    ("polygons that are lines", polygons(0, 0, 3, 2, 6, 4), rf"{IN}: {NO_MASK}"),
    ("a polygon far away", polygon(0, 0, 1e300, 0, 6, 4), rf"{IN}: {OF} .*corner far from"),
    ("no polygon at all", all_annotated(segmentation=[]), rf"{IN}: {NO_MASK}"),
    ("run lengths of another size", runs([24], (6, 4)),
     rf"{IN}: {OF} has run lengths of size \[6, 4\], but its image has \[4, 6\].*; make the mask"),
    ("negative run lengths", runs([30, -6]), rf"{IN}: {OF} has run lengths that do not add up to"),
    ("enormous run lengths", runs([10**30]), rf"{IN}: {OF} has run lengths that do not add up to"),
    ("run lengths too short", runs([3]), rf"{IN}: {OF} has run lengths that do not add up to 4 x"),
    ("damaged compressed run lengths", runs("~~~"),
     rf"{IN}: {OF} has compressed run lengths that are damaged; make the mask again"),
    ("endless compressed run lengths", runs("o" * 5000), rf"{IN}: {OF} has compressed run lengths"),
    ("run lengths that are a number", runs(7), rf"{IN}: {OF} has compressed run lengths"),
    ("a segment without pixels", segment(0, id=77),
     r"panoptic_val2017/x\.png: segment 77 of .* has no pixel; restore the map or remove"),
    ("a segment beyond three bytes", segment(0, id=2**24),
     r"x\.png: segment 16777216 is 1 times in .*; segment ids are 1\.\.16777215"),
    ("a segment beyond 64 bits", segment(0, id=2**70), r"x\.png: segment 1180591620717411303424"),
    ("an instance id that is negative", segment(1, instance_id=-1),
     r"x\.png: segment 300 has instance_id -1; it must be 1\.\.65535"),
    ("a map outside its folder",
     coco("coco_panoptic", lambda d: d["annotations"][0].update(file_name="../../secret.png")),
     r"panoptic_val2017\.json: .*'\.\./\.\./secret\.png' leads outside its folder; give"),
    ("a frame that no file shows",
     coco("coco_videos", lambda d: d["images"].append(
         {"id": 99, "file_name": "bar_0099.png", "height": 4, "width": 6})),
     r"bar\.json: image 99 \('bar_0099\.png'\) is not in .*raw_images/bar; restore that file"),
])  # fmt: skip
