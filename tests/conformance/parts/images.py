"""Images (`storage-image-kms.md`, section 5)."""

import huaweicloudsdkims.v2 as ims

from cloud import refusal

SDK = "huawei.ims"


def run(cloud, table):
    """All of it."""
    ask = lambda **q: cloud.ims.list_images(ims.ListImagesRequest(**q)).images
    with table.call(SDK, "ListImages") as row:
        every = ask()
        row.same("all of them", len(every), 3)
        one = every[0]
        row.same("by id", [it.id for it in ask(id=one.id)], [one.id])
        row.same("an unknown id is an empty list", ask(id="00000000-0000-4000-8000-000000000000"), [])
        row.same("by name", [it.name for it in ask(name="windows")], ["windows"])
        row.same("by system", [it.name for it in ask(os_type="Windows")], ["windows"])
        row.same("by platform and kind", len(ask(platform="Ubuntu", imagetype="gold")), 1)
        row.same("by status", ask(status="queued"), [])
        row.same("private ones", [it.name for it in ask(imagetype="private")], ["old"])
        seen, marker = [], None
        for _ in range(3):
            page = ask(limit=1, marker=marker)
            seen += [it.id for it in page]
            marker = seen[-1] if seen else None
        row.same("one by one, by marker", seen, [it.id for it in every])
        up = [it.name for it in ask(sort_key="name", sort_dir="asc")]
        down = [it.name for it in ask(sort_key="name", sort_dir="desc")]
        row.check("sorted by name", up == sorted(up) and down == up[::-1], (up, down))
        inverted = {it.name: it.support_fc_inject for it in every}
        row.check("__support_fc_inject is true where cloud-init is not used",
                  str(inverted["old"]) .lower() == "true" and not inverted["windows"], inverted)
    with table.call(SDK, "GlanceShowImage") as row:
        show = lambda image: cloud.ims.glance_show_image(ims.GlanceShowImageRequest(image))
        row.same("the same", show(one.id).name, one.name)
        unknown = "00000000-0000-4000-8000-000000000000"
        row.same("an unknown id is 404", (refusal(lambda: show(unknown)) or [None])[0], 404)
    with table.call(SDK, "GlanceListImages") as row:
        seen = cloud.ims.glance_list_images(ims.GlanceListImagesRequest(limit=2))
        row.same("a page of two", len(seen.images), 2)
        row.check("a link to the next", seen.next, seen.next)
    with table.call(SDK, "ShowImageQuota") as row:
        quotas = cloud.ims.show_image_quota(ims.ShowImageQuotaRequest()).quotas
        row.check("of images", quotas.resources)
