"""Labels as people write them, by language, with the code pages that archives have them in."""

# ruff: noqa: E501 - wide characters count twice

from __future__ import annotations

from typing import NamedTuple


class Language(NamedTuple):
    """Words of one language.

    Attributes:
        code_pages: Python's codecs, that of Windows' archives first.
        words: Each has characters beyond ASCII in it.
    """

    code_pages: tuple[str, ...]
    words: tuple[str, ...]


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


LANGUAGES = {
    "Chinese (simplified)": Language(("gbk",), _words(
        "苹果 梨 香蕉 葡萄 西瓜 草莓 樱桃 桃子 猫 狗 马 牛 羊 鸡 鸭 鱼 鸟 老虎 狮子 大象 "
        "汽车 飞机 火车 自行车 轮船 卡车 花 树 草 森林 河流 山 房子 桥 道路 正常 异常 划痕 裂纹 "
        "合格 不合格 人 男 女 椅子 桌子 杯子 手机 电脑 键盘 红色 蓝色 其他 测试 训练集 图片"
    )),
    "Chinese (traditional)": Language(("big5",), _words(
        "蘋果 梨 香蕉 葡萄 西瓜 草莓 櫻桃 桃子 貓 狗 馬 牛 羊 雞 鴨 魚 鳥 老虎 獅子 大象 "
        "汽車 飛機 火車 腳踏車 輪船 卡車 花 樹 草 森林 河流 山 房子 橋 道路 正常 異常 刮痕 裂縫 "
        "合格 不合格 人 男 女 椅子 桌子 杯子 手機 電腦 鍵盤 紅色 藍色 其他 測試 圖片"
    )),
    "Japanese": Language(("cp932",), _words(
        "りんご 梨 バナナ ぶどう スイカ いちご さくらんぼ 桃 猫 犬 馬 牛 羊 鶏 魚 鳥 トラ ライオン ゾウ "
        "車 飛行機 電車 自転車 船 トラック 花 木 草 森 川 山 家 橋 道路 正常 異常 傷 ひび 良品 "
        "不良品 人 男性 女性 椅子 机 コップ 携帯電話 表 裏 赤 青 その他 テスト 画像"
    )),
    "Korean": Language(("cp949",), _words(
        "사과 배 바나나 포도 수박 딸기 체리 복숭아 고양이 개 말 소 양 닭 오리 물고기 새 호랑이 사자 "
        "코끼리 자동차 비행기 기차 자전거 배 트럭 꽃 나무 풀 숲 강 산 집 다리 도로 정상 비정상 흠집 균열 "
        "양품 불량 사람 남자 여자 의자 책상 컵 휴대폰 컴퓨터 빨강 파랑 기타 테스트 사진"
    )),
    "Russian": Language(("cp866", "cp1251", "koi8-r"), _words(
        "яблоко груша банан виноград арбуз клубника вишня персик кошка собака лошадь корова овца "
        "курица утка рыба птица тигр лев слон машина самолёт поезд велосипед корабль цветок дерево "
        "трава лес река гора дом мост дорога норма брак царапина трещина человек мужчина женщина "
        "стул стол чашка телефон красный синий другое тест картинки"
    )),
    "Ukrainian": Language(("cp1251",), _words(
        "яблуко груша банан виноград кавун полуниця вишня кішка собака кінь корова вівця курка качка "
        "риба птах тигр лев слон машина літак потяг велосипед корабель квітка дерево трава ліс річка "
        "гора дім міст дорога норма брак подряпина тріщина людина чоловік жінка стілець стіл чашка"
    )),
    "German": Language(("cp850", "cp1252"), _words(
        "Äpfel Kühe Vögel Bäume Häuser Brücke Straße Löwe Käfer Möwe Bär Fuß Tür Schlüssel Löffel Kürbis "
        "Gemüse Nüsse Möhre Müll Flüsse Küste Blüte Gräser Hände Füße grün Übrige größer Süßigkeiten"
    )),
    "French": Language(("cp850", "cp1252"), _words(
        "éléphant zèbre bête forêt chêne rivière maïs pêche pâté gâteau crêpe café thé fenêtre clé vélo "
        "bâtiment église château hôtel école étoile île poêle déchets défaut rayé abîmé coupé réussi"
    )),
    "Spanish": Language(("cp850", "cp1252"), _words(
        "pájaro león árbol montaña río camión avión ratón niño niña piña limón melón plátano sandía "
        "maíz jabalí búho tiburón águila muñeca teléfono lámpara dañado normalización español señal"
    )),
    "Portuguese": Language(("cp850", "cp1252"), _words(
        "maçã pêssego limão melão cão leão pássaro árvore avião caminhão maçaneta coração mão pão "
        "feijão café açaí tubarão gavião relâmpago construção médio início três não"
    )),
    "Swedish": Language(("cp850", "cp1252"), _words(
        "äpple päron häst ko får ägg fågel björn älg räv träd gräs skåp båt tåg bil hjärta öl ö sjö "
        "väg hus blå röd grön själ hår"
    )),
    "Polish": Language(("cp852", "cp1250"), _words(
        "jabłko śliwka wiśnia koń świnia żaba łoś mewa źrebię wąż słoń żyrafa łódź książka stół krzesło "
        "gęś ciężarówka góra rzeźba zdjęcie błąd dobry zły pęknięcie żółty niebieski róża"
    )),
    "Czech": Language(("cp852", "cp1250"), _words(
        "jablko hruška třešeň kůň kráva slepice pták tygr lev žirafa želva myš ještěrka švestka "
        "květina dům řeka cesta vůz židle stůl člověk dítě děvče žlutý červený modrý škrábanec"
    )),
    "Greek": Language(("cp737", "cp1253"), _words(
        "μήλο αχλάδι μπανάνα σταφύλι καρπούζι φράουλα γάτα σκύλος άλογο αγελάδα πρόβατο ψάρι πουλί "
        "τίγρη λιοντάρι ελέφαντας αυτοκίνητο αεροπλάνο τρένο ποδήλατο πλοίο λουλούδι δέντρο δάσος "
        "ποτάμι βουνό σπίτι γέφυρα δρόμος"
    )),
    "Turkish": Language(("cp857", "cp1254"), _words(
        "çilek üzüm kuş köpek öküz böcek aslan kaplan ağaç çiçek dağ göl köprü şişe gözlük çanta "
        "balık sığır kırmızı sarı yeşil kırık çizik sağlam diğer düğme gömlek ayakkabı koltuk kapı"
    )),
    "Hebrew": Language(("cp862", "cp1255"), _words(
        "תפוח אגס בננה ענבים אבטיח תות חתול כלב סוס פרה כבשה תרנגולת דג ציפור נמר אריה פיל מכונית "
        "מטוס רכבת אופניים אונייה פרח עץ דשא יער נהר הר בית גשר"
    )),
    "Arabic": Language(("cp720", "cp1256"), _words(
        "تفاح كمثرى موز عنب بطيخ فراولة قطة كلب حصان بقرة خروف دجاجة سمكة طائر نمر أسد فيل سيارة "
        "طائرة قطار دراجة سفينة زهرة شجرة عشب غابة نهر جبل بيت جسر"
    )),
    "Thai": Language(("cp874",), _words(
        "แอปเปิล กล้วย องุ่น แตงโม แมว สุนัข ม้า วัว แกะ ไก่ ปลา นก เสือ สิงโต ช้าง รถยนต์ เครื่องบิน รถไฟ "
        "จักรยาน เรือ ดอกไม้ ต้นไม้ หญ้า ป่า แม่น้ำ ภูเขา บ้าน สะพาน ถนน คน"
    )),
}  # fmt: skip
