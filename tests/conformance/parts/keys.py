"""Key pairs and KMS keys (`ecs.md`, section 10; `storage-image-kms.md`, section 7)."""

import huaweicloudsdkecs.v2 as ecs
import huaweicloudsdkkms.v2 as kms

from cloud import refusal


def run(cloud, table):
    """All of it."""
    key_pairs(cloud, table)
    listed(cloud, table)
    described(cloud, table)


def key_pairs(cloud, table):
    own = cloud.told["key_name"]
    names = lambda: [it.keypair.name for it in
                     cloud.ecs.nova_list_keypairs(ecs.NovaListKeypairsRequest()).keypairs]
    show = lambda name: cloud.ecs.nova_show_keypair(ecs.NovaShowKeypairRequest(name)).keypair
    with table.call("huawei.ecs", "NovaListKeypairs") as row:
        row.check("our own", own in names())
        row.check("not somebody else's", "somebody-elses" not in names())
    with table.call("huawei.ecs", "NovaShowKeypair") as row:
        row.same("its owner", show(own).user_id, cloud.told["user_id"])
        row.same("somebody else's is 404", (refusal(lambda: show("somebody-elses")) or [None])[0], 404)
        row.same("a name with a slash", (refusal(lambda: show("no such/key ü")) or [None])[0], 404)
    with table.call("huawei.ecs", "NovaCreateKeypair") as row:
        body = ecs.NovaCreateKeypairRequestBody(ecs.NovaCreateKeypairOption(name="made-here", type="ssh"))
        made = cloud.ecs.nova_create_keypair(ecs.NovaCreateKeypairRequest(body=body)).keypair
        row.check("its private key, once", made.private_key)
        row.check("it is listed", "made-here" in names())
        again = refusal(lambda: cloud.ecs.nova_create_keypair(ecs.NovaCreateKeypairRequest(body=body)))
        row.same("a second of that name is 409", (again or [None])[0], 409)
    with table.call("huawei.ecs", "NovaDeleteKeypair") as row:
        cloud.ecs.nova_delete_keypair(ecs.NovaDeleteKeypairRequest("made-here"))
        row.check("it is gone", "made-here" not in names())


def listed(cloud, table):
    ask = lambda **q: cloud.kms.list_keys(kms.ListKeysRequest(kms.ListKeysRequestBody(**q)))
    with table.call("huawei.kms", "ListKeys") as row:
        every = ask(limit="100")
        row.same("all of them", (len(every.keys), every.total, every.truncated), (3, 3, "false"))
        seen, marker, ends = [], None, []
        for _ in range(3):
            page = ask(limit="1", **({"marker": marker} if marker else {}))
            seen += page.keys
            ends.append(page.truncated)
            marker = page.next_marker
        row.same("one by one, by marker", seen, every.keys)
        row.same("truncated until the last", ends, ["true", "true", "false"])
        enabled = ask(limit="100", key_state="2")
        row.check("by state", len(enabled.keys) == 2 and {it.key_state for it in enabled.key_details} == {"2"})
    with table.call("huawei.kms", "ListAliases") as row:
        answer = cloud.kms.list_aliases(kms.ListAliasesRequest())
        row.check("one for each key", answer is not None)


def described(cloud, table):
    show = lambda key: cloud.kms.list_key_detail(
        kms.ListKeyDetailRequest(kms.OperateKeyRequestBody(key_id=key))).key_info
    with table.call("huawei.kms", "ListKeyDetail") as row:
        details = cloud.kms.list_keys(kms.ListKeysRequest(kms.ListKeysRequestBody(limit="100"))).key_details
        states = {it.key_alias: it.key_state for it in details}
        row.same("states", states, {"evs/default": "2", "mine": "2", "off": "3"})
        one = next(it for it in details if it.key_alias == "evs/default")
        row.same("by id", show(one.key_id).key_alias, "evs/default")
        row.same("the default key", show(one.key_id).default_key_flag, "1")
        row.same("by alias", show("alias/mine").key_alias, "mine")
        row.same("an unknown id", (refusal(lambda: show("0" * 36)) or [None, None])[1], "KMS.0205")
    with table.call("huawei.kms", "ShowUserQuotas") as row:
        quotas = cloud.kms.show_user_quotas(kms.ShowUserQuotasRequest()).quotas
        row.check("of keys", any(it.type == "CMK" for it in quotas.resources), quotas)
